//! `examples/monitoring`: alerts, dashboard and the recipe for Healthchecks fit what the program writes. (promtool tests
//! the alerts themselves in tests/readers/run.sh.)

use crate::support::Site;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/monitoring")
        .join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(example(name)).unwrap()
}

fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    let metrics = words.filter(|word| word.starts_with("aweber_sync_"));
    metrics.map(str::to_owned).collect()
}

#[test]
fn every_metric_in_the_examples_is_one_that_the_program_writes() {
    let site = Site::new();
    site.add_list(2);
    let file = site.path("aweber.prom");
    site.run_ok(&["--metrics-file", file.to_str().unwrap()]);
    let written = metrics_in(&std::fs::read_to_string(file).unwrap());
    for (name, at_least) in [
        ("prometheus-rules.yml", 3),
        ("prometheus-rules.test.yml", 3),
        ("grafana-dashboard.json", 8),
    ] {
        let used = metrics_in(&text(name));
        assert!(used.len() >= at_least, "{name}: {used:?}");
        let unknown: Vec<&String> = used.difference(&written).collect();
        assert_eq!(unknown, Vec::<&String>::new(), "{name}");
    }
}

#[test]
fn the_dashboard_has_what_grafana_needs_of_each_panel() {
    let dashboard: Value = serde_json::from_str(&text("grafana-dashboard.json")).unwrap();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 36);
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables
        .iter()
        .map(|variable| variable["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["datasource", "instance"]);
    let panels = dashboard["panels"].as_array().unwrap();
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        assert!(["stat", "timeseries"].contains(&panel["type"].as_str().unwrap()));
        let target = &panel["targets"][0];
        assert!(target["expr"].as_str().unwrap().contains("$instance"));
        assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(side("x") + side("w") <= 24, "{title}");
        for x in side("x")..side("x") + side("w") {
            for y in side("y")..side("y") + side("h") {
                assert!(taken.insert((x, y)), "{title} covers another panel");
            }
        }
    }
    assert!(panels.len() >= 8);
}

/// Answers one request as Healthchecks' API does; returns what was sent.
fn healthchecks(answer: String) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = String::new();
        let mut bytes = [0; 4096];
        while !request.contains("]}") {
            let read = stream.read(&mut bytes).unwrap();
            request += std::str::from_utf8(&bytes[..read]).unwrap();
            assert!(read > 0, "{request}");
        }
        let head = format!("HTTP/1.1 201 Created\r\ncontent-length: {}", answer.len());
        write!(stream, "{head}\r\nconnection: close\r\n\r\n{answer}").unwrap();
        request
    });
    (url, served)
}

#[test]
fn the_recipe_for_healthchecks_creates_a_check_and_keeps_its_url_private() {
    if Command::new("curl").arg("--version").output().is_err() {
        crate::support::interrupt::skipped("curl is not installed");
        return;
    }
    let site = Site::new();
    std::fs::write(site.path("key"), "an-api-key\n").unwrap();
    let ping = "https://hc.example.com/ping/0f1e";
    let answer = format!(r#"{{"name": "nightly", "ping_url": "{ping}", "channels": "a,b"}}"#);
    let (url, served) = healthchecks(answer);
    let run = |name: &str| {
        Command::new("sh")
            .arg(example("healthchecks.sh"))
            .args([site.path("key"), site.path("ping-url")])
            .arg(name)
            .env("HEALTHCHECKS_URL", &url)
            .output()
            .unwrap()
    };
    assert_eq!(run("a\"b").status.code(), Some(2));
    let output = run("nightly");
    assert!(output.status.success(), "{output:?}");
    let request = served.join().unwrap();
    assert!(request.starts_with("POST /api/v3/checks/ HTTP/1.1\r\n"));
    assert!(request.contains("X-Api-Key: an-api-key\r\n"), "{request}");
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["name"], "nightly");
    let file = site.path("ping-url");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{ping}\n"));
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

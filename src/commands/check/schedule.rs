//! Whether something seems to start the job: timers and crontabs that name the program. Only for information, because
//! many ways to schedule leave no file here (containers, other hosts).

use std::path::{Path, PathBuf};

/// What a timer, service or crontab of this job contains.
const NAME: &str = "aweber-sync";

/// A larger file is not a crontab.
const LARGEST: u64 = 256 * 1024;

/// The files that schedule the job, of those that this user can read.
pub(super) fn find(home: Option<&Path>) -> Vec<PathBuf> {
    let mut directories = vec![
        PathBuf::from("/etc/systemd/system"),
        PathBuf::from("/usr/lib/systemd/system"),
        PathBuf::from("/lib/systemd/system"),
        PathBuf::from("/etc/cron.d"),
        PathBuf::from("/etc/cron.daily"),
        PathBuf::from("/etc/cron.hourly"),
        PathBuf::from("/var/spool/cron/crontabs"),
        PathBuf::from("/var/spool/cron"),
    ];
    directories.extend(home.map(|home| home.join(".config/systemd/user")));
    let in_directories = directories
        .iter()
        .filter_map(|directory| std::fs::read_dir(directory).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()));
    let all = in_directories.chain([PathBuf::from("/etc/crontab")]);
    let mut found: Vec<PathBuf> = all.filter(|path| schedules(path)).collect();
    found.sort();
    // /lib is a link to /usr/lib on most systems.
    found.dedup_by(|one, other| one.file_name() == other.file_name());
    found
}

fn schedules(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let in_systemd = path.to_string_lossy().contains("/systemd/");
    if in_systemd && !name.ends_with(".timer") {
        return false;
    }
    let is_small = path
        .metadata()
        .is_ok_and(|found| found.is_file() && found.len() <= LARGEST);
    let names_it = |text: String| {
        text.lines()
            .any(|line| line.contains(NAME) && !line.trim_start().starts_with('#'))
    };
    is_small
        && (in_systemd && name.contains(NAME) || std::fs::read_to_string(path).is_ok_and(names_it))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "writes a crontab to look at")]
mod tests {
    use super::*;

    #[test]
    fn timers_count_by_name_and_crontabs_by_a_line_that_is_not_a_comment() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join(".config/systemd/user");
        std::fs::create_dir_all(&directory).unwrap();
        for (name, content) in [
            ("aweber-sync.timer", "[Timer]"),
            ("aweber-sync.service", "ExecStart=aweber-sync run"),
            ("other.timer", "[Timer]"),
        ] {
            std::fs::write(directory.join(name), content).unwrap();
        }
        let found = find(Some(home.path()));
        assert!(
            found.contains(&directory.join("aweber-sync.timer")),
            "{found:?}"
        );
        assert!(
            found
                .iter()
                .all(|path| !path.ends_with("aweber-sync.service"))
        );
        for (content, expected) in [
            ("17 3 * * * aweber-sync run\n", true),
            ("# 17 3 * * * aweber-sync run\n", false),
        ] {
            let crontab = home.path().join("crontab");
            std::fs::write(&crontab, content).unwrap();
            assert_eq!(schedules(&crontab), expected, "{content}");
        }
    }
}

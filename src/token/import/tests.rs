//! The formats one by one, odd values, each refusal, and that nothing of it prints a secret.

use super::*;
use secrecy::ExposeSecret;

const PYTHON_FILE: &[u8] = include_bytes!("../../../fixtures/credentials/python.json");
const NODE_FILE: &[u8] = include_bytes!("../../../fixtures/credentials/node.json");
const RUBY_FILE: &[u8] = include_bytes!("../../../fixtures/credentials/ruby.json");
const PHP_FILE: &[u8] = include_bytes!("../../../fixtures/credentials/php.ini");
const PKCE_FILE: &[u8] = include_bytes!("../../../fixtures/credentials/php-pkce.ini");
const CSHARP_FILE: &[u8] = include_bytes!("../../../fixtures/credentials/csharp.json");
const POSTMAN_FILE: &[u8] = include_bytes!("../../../fixtures/credentials/postman.json");
const PLAIN_FILE: &[u8] = include_bytes!("../../../fixtures/credentials/postman-plain.json");
const CLI_FILE: &[u8] = include_bytes!("../../../fixtures/credentials/aweber-cli.json");
const FILES: [&[u8]; 9] = [
    PYTHON_FILE,
    NODE_FILE,
    RUBY_FILE,
    PHP_FILE,
    PKCE_FILE,
    CSHARP_FILE,
    POSTMAN_FILE,
    PLAIN_FILE,
    CLI_FILE,
];

/// Everything in one line, secrets exposed; `-` for what is absent.
fn show(text: &[u8]) -> String {
    let found = match parse_credentials(text) {
        Ok(found) => found,
        Err(error) => return error.to_string(),
    };
    let secret = |s: &Option<SecretString>| {
        s.as_ref()
            .map_or("-".into(), |s| s.expose_secret().to_owned())
    };
    let text = |s: &Option<String>| s.clone().unwrap_or("-".into());
    [
        found.format.to_owned(),
        text(&found.client_id),
        secret(&found.client_secret),
        secret(&found.access_token),
        found.kind.lasting_secret().expose_secret().to_owned(),
        text(&found.token_type),
        found.expires_at.map_or("-".into(), |at| at.to_string()),
        text(&found.account_id),
    ]
    .join(" | ")
}

#[test]
fn each_programs_file_is_read() {
    for (file, format, rest) in [
        (
            PYTHON_FILE,
            PYTHON,
            "client-python-example | CS-python-fake | AT-python-fake | RT-python-fake | bearer | 1795323600 | -",
        ),
        (
            NODE_FILE,
            NODE,
            "client-node-example | CS-node-fake | AT-node-fake | RT-node-fake | - | - | -",
        ),
        (
            RUBY_FILE,
            RUBY,
            "client-ruby-example | CS-ruby-fake | AT-ruby-fake | RT-ruby-fake | - | - | -",
        ),
        (
            PHP_FILE,
            PHP,
            "client-php-example | CS-php;fake== | AT-php-fake | RT-php-fake | - | - | -",
        ),
        (
            PKCE_FILE,
            PHP,
            "client-pkce-example | - | AT-pkce-fake | RT-pkce-fake | - | - | -",
        ),
        (
            CSHARP_FILE,
            CSHARP,
            "client-csharp-example | CS-csharp-fake | AT-csharp-fake | RT-csharp-fake | bearer | 1795323600 | -",
        ),
        (
            POSTMAN_FILE,
            POSTMAN,
            "client-postman-example | CS-postman-fake | - | RT-postman-fake | - | - | 123456",
        ),
        (
            PLAIN_FILE,
            POSTMAN,
            "client-plain-example | CS-plain-fake | - | RT-plain-fake | - | - | -",
        ),
        (
            CLI_FILE,
            AWEBER_CLI,
            "- | - | AT-cli-fake | RT-cli-fake | - | 1795323600 | 123456",
        ),
    ] {
        assert_eq!(show(file), format!("{format} | {rest}"));
    }
}

#[test]
fn windows_line_ends_a_byte_order_mark_and_blanks_around_change_nothing() {
    for file in FILES {
        let text = String::from_utf8_lossy(file).replace('\n', "\r\n");
        assert_eq!(
            show(format!("\u{feff} \r\n\t{text}\r\n \r\n").as_bytes()),
            show(file)
        );
    }
}

#[test]
fn odd_values_are_taken_or_left_out_but_never_refused() {
    for (text, expected) in [
        (
            r#"{"refresh_token":" RT ","client_secret":"","access_token":null,"x":[1]}"#,
            "| - | - | - | RT | - | - | -",
        ),
        (
            r#"{"refresh_token":"RT","refreshToken":"old","clientId":7}"#,
            "| 7 | - | - | RT | - | - | -",
        ),
        (
            r#"{"refresh_token":"RT","token":{"refresh_token":""}}"#,
            "| - | - | - | RT | - | - | -",
        ),
        (
            r#"{"refresh_token":"RT","expires_at":"1795323600.9"}"#,
            "| - | - | - | RT | - | 1795323600 | -",
        ),
        (
            r#"{"refresh_token":"RT","expires_at":1.7953236e9}"#,
            "| - | - | - | RT | - | 1795323600 | -",
        ),
        (
            r#"{"refresh_token":"RT","expires_at":1795323600000}"#,
            "| - | - | - | RT | - | - | -",
        ),
        (
            r#"{"refresh_token":"RT","expires_at":"inf"}"#,
            "| - | - | - | RT | - | - | -",
        ),
        (
            r#"{"refresh_token":"RT","expires_in":7200}"#,
            "| - | - | - | RT | - | - | -",
        ),
        (
            r#"{"refresh_token":"RT","created_on":"2026-11-22T03:00:00Z","expires_in":"7200"}"#,
            "| - | - | - | RT | - | 1795323600 | -",
        ),
        (
            r#"{"refresh_token":"RT","created_on":1795316400,"expires_in":7200,"expires_at":1795320000}"#,
            "| - | - | - | RT | - | 1795320000 | -",
        ),
        (
            r#"{"refresh_token":"RT","created_on":"2026-11-22T03:00:00.5","expires_in":7200}"#,
            "| - | - | - | RT | - | - | -",
        ),
        (
            "# note\nrefresh_token=\"RT\" \nclientSecret = \nrefreshToken =",
            "| - | - | - | RT | - | - | -",
        ),
        (
            "refreshToken = RT ; note\nclientSecret=''",
            "| - | - | - | RT | - | - | -",
        ),
    ] {
        assert!(
            show(text.as_bytes()).ends_with(expected),
            "{text} gives {}",
            show(text.as_bytes())
        );
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn each_refusal_says_what_is_missing() {
    use ImportError::*;
    let no_token = |format| NoRefreshToken { format };
    for (text, error) in [
        (&b""[..], Empty),
        (b"\xef\xbb\xbf \r\n\t\r\n", Empty),
        (b"\xff\xfe{\0\"\0r\0", NotUtf8),
        (
            br#"{"refresh_token":"RT-fake""#,
            BrokenJson {
                line: 1,
                column: 26,
                cut_short: true,
            },
        ),
        (
            b"{\n\"refresh_token\":\"RT-fake\",\n}",
            BrokenJson {
                line: 3,
                column: 1,
                cut_short: false,
            },
        ),
        (
            br#"{"refresh_token":"RT-fake"} RT-fake"#,
            BrokenJson {
                line: 1,
                column: 29,
                cut_short: false,
            },
        ),
        (br#"["RT-fake"]"#, NotJsonNorIni { line: 1 }),
        (b"[]", NotJsonNorIni { line: 1 }),
        (b"RT-fake", NotJsonNorIni { line: 1 }),
        (
            b"\n[aweber]\nclientId = a\nrefreshToken = 'RT-fake\n",
            NotJsonNorIni { line: 4 },
        ),
        (b"; note\nlet token = RT-fake", NotJsonNorIni { line: 2 }),
        (b"<html lang=RT-fake>", NotJsonNorIni { line: 1 }),
        (
            b"[aweber oauth]\nclientId = fake\nrefreshToken = ''",
            no_token(PHP),
        ),
        (br#"{}"#, no_token(OTHER)),
        (br#"{"token":{"access_token":"AT-fake"}}"#, no_token(PYTHON)),
        (br#"{"accessToken":"AT-fake"}"#, no_token(NODE)),
        (
            br#"{"access_token":"AT-fake","refresh_token":["RT-fake"]}"#,
            no_token(RUBY),
        ),
        (
            br#"{"created_on":"2026-11-22T03:00:00Z","refresh_token":"  "}"#,
            no_token(CSHARP),
        ),
        (
            br#"{"values":[1,{"key":"refresh_token"},{"value":"RT-fake"}]}"#,
            no_token(POSTMAN),
        ),
        (
            br#"{"values":[{"key":"refresh_token","value":"RT-fake","enabled":false}]}"#,
            no_token(POSTMAN),
        ),
        (br#"{"refresh_token":null}"#, no_token(POSTMAN)),
        (br#"{"account_id":"1"}"#, no_token(AWEBER_CLI)),
        (
            br#"{"version":1,"generation":3,"expires_at":1}"#,
            no_token(OWN),
        ),
    ] {
        let seen = parse_credentials(text).err();
        assert_eq!(seen, Some(error), "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn a_refusal_reads_as_a_sentence() {
    for (error, words) in [
        (
            ImportError::Empty,
            "the file is empty; expected a credentials file as AWeber's samples",
        ),
        (ImportError::NotUtf8, "not text in UTF-8"),
        (
            ImportError::BrokenJson {
                line: 3,
                column: 1,
                cut_short: false,
            },
            "begins as JSON but is not valid at line 3, column 1",
        ),
        (
            ImportError::BrokenJson {
                line: 2,
                column: 9,
                cut_short: true,
            },
            "begins as JSON but ends too early at line 2, column 9",
        ),
        (
            ImportError::NotJsonNorIni { line: 4 },
            "not JSON, and line 4 is not the `key = value` of an ini file",
        ),
        (
            ImportError::NoRefreshToken { format: NODE },
            "reads like the Node sample's credentials.json, but the refresh token is missing",
        ),
    ] {
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// Every secret in the fixtures has `fake` in it. Each file is cut at every byte, which meets most errors as well.
#[test]
fn neither_credentials_nor_errors_print_a_secret() {
    for file in FILES {
        for end in 0..=file.len() {
            let printed = match parse_credentials(&file[..end]) {
                Ok(found) => format!("{found:?} {found:#?}"),
                Err(error) => format!("{error:?} {error:#?} {error}"),
            };
            assert!(!printed.contains("fake"), "{printed}");
        }
    }
    let found = parse_credentials(PYTHON_FILE).map(|found| format!("{found:?}"));
    assert!(found.is_ok_and(|text| text.contains("REDACTED")));
}

//! URLs, options, environment and credentials: what is taken, what is refused, what is shown.

use std::collections::BTreeMap;
use std::time::Instant;

use axum::Router;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::Uri;
use nestegg::destination::DestinationSpec;
use nestegg::destination::RootRule;
use nestegg::model::outcome::FailureKind;
use nestegg::model::secret::Secret;
use tokio::net::TcpListener;

use super::*;

/// Options as a test writes them.
type Table<'a> = &'a [(&'a str, &'a str)];

const SENTINEL: &str = "c2VudGluZWwtc2VjcmV0";

fn spec(url: &str, options: &[(&str, &str)], environment: &[(&str, &str)]) -> DestinationSpec {
    let secrets = |pairs: &[(&str, &str)]| -> BTreeMap<String, Secret> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)))
            .collect()
    };
    DestinationSpec {
        encrypt_to: Vec::new(),
        name: "remote".parse().unwrap(),
        url: url.to_owned(),
        options: secrets(options),
        environment: secrets(environment).into_iter().collect(),
        root: RootRule::MustExist,
    }
}

async fn open(
    url: &str,
    options: &[(&str, &str)],
    environment: &[(&str, &str)],
) -> Result<Destination, Error> {
    Destination::open(spec(url, options, environment), TUNING).await
}

const KEYS: [(&str, &str); 2] = [
    ("access_key_id", "AKIATEST"),
    ("secret_access_key", SENTINEL),
];

fn with_keys<'a>(options: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    KEYS.into_iter().chain(options.iter().copied()).collect()
}

#[tokio::test]
async fn a_location_says_where_and_holds_no_secret() {
    let gcs_key = r#"{"gcs_base_url":"http://127.0.0.1:4","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}"#;
    let s3_endpoint = with_keys(&[("endpoint", "http://127.0.0.1:9000/")]);
    let virtual_host = with_keys(&[
        ("endpoint", "https://s3.example.com"),
        ("virtual_hosted_style_request", "true"),
    ]);
    let cases: [(&str, Table<'_>, &str); 8] = [
        ("s3://bkt/a b/%41/", &KEYS, "s3://bkt/a b/%41"),
        ("s3://bkt", &s3_endpoint, "s3://bkt?endpoint=127.0.0.1:9000"),
        (
            "s3://bkt/x",
            &virtual_host,
            "s3://bkt/x?endpoint=s3.example.com",
        ),
        (
            "gs://bkt/x",
            &[("service_account_key", gcs_key)],
            "gs://bkt/x?endpoint=127.0.0.1:4",
        ),
        ("gs://bkt", &[("skip_signature", "true")], "gs://bkt"),
        (
            "az://c/x",
            &[("account_name", "acct"), ("access_key", SENTINEL)],
            "az://acct/c/x",
        ),
        (
            "az://c",
            &[
                ("use_emulator", "true"),
                ("endpoint", "http://127.0.0.1:10001"),
            ],
            "az://devstoreaccount1/c?endpoint=127.0.0.1:10001",
        ),
        (
            "az://c",
            &[
                ("account", "acct"),
                ("sas", "sv=1&sig=c2VudGluZWwtc2VjcmV0"),
            ],
            "az://acct/c",
        ),
    ];
    for (url, options, location) in cases {
        let destination = open(url, options, &[]).await.unwrap();
        assert_eq!(destination.location(), location);
        assert!(!format!("{destination:?}").contains("sentinel"));
    }
}

#[tokio::test]
async fn the_environment_of_the_store_is_enough() {
    let s3 = [
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", SENTINEL),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ];
    let destination = open("s3://bkt", &[], &s3).await.unwrap();
    assert_eq!(destination.location(), "s3://bkt?endpoint=127.0.0.1:9000");
    let own = open("s3://bkt", &[("endpoint", "http://127.0.0.1:7")], &s3).await;
    assert_eq!(own.unwrap().location(), "s3://bkt?endpoint=127.0.0.1:7");
    let azure = [
        ("AZURE_STORAGE_ACCOUNT", "acct"),
        ("AZURE_STORAGE_KEY", SENTINEL),
    ];
    let destination = open("az://c", &[], &azure).await.unwrap();
    assert_eq!(destination.location(), "az://acct/c");
}

#[tokio::test]
async fn missing_credentials_are_told_before_any_address_is_asked() {
    let region = [("region", "eu-west-1")];
    let account = [("account_name", "acct")];
    for (url, options, word) in [
        ("s3://bkt/x", &region[..], "access_key_id"),
        ("gs://bkt/x", &[], "service_account_path"),
        ("az://c/x", &account[..], "access_key"),
        ("az://c/x", &[], "account_name"),
    ] {
        let started = Instant::now();
        let error = open(url, options, &[]).await.unwrap_err();
        assert_eq!(error.kind(), FailureKind::Credentials, "{url}");
        assert!(error.is_usage());
        assert!(error.hint().contains(word), "{}", error.hint());
        assert!(started.elapsed() < TUNING.connect_timeout);
    }
    for url in ["s3://bkt/x", "gs://bkt/x"] {
        open(url, &[("use_instance_metadata", "true")], &[])
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn what_can_not_work_is_refused_with_the_option_and_the_mend() {
    let emulator = [("use_emulator", "true")];
    let with_keys = |option: &'static str, value: &'static str| with_keys(&[(option, value)]);
    let cases = [
        (
            "s3://bkt",
            with_keys("regoin", "x"),
            "did you mean `region`?",
        ),
        ("s3://bkt", with_keys("timeout", "30"), "lacks a unit"),
        ("s3://bkt", with_keys("timeout", "soon"), "soon"),
        (
            "s3://bkt",
            with_keys("checksum_algorithm", "md5"),
            "`sha256`",
        ),
        (
            "s3://bkt",
            with_keys("endpoint", "localhost:9000"),
            "write `https://localhost:9000`",
        ),
        (
            "s3://bkt",
            with_keys("endpoint", "ftp://h"),
            "`ftp://` is neither",
        ),
        (
            "s3://bkt",
            with_keys("endpoint", "https://k:c2VudGluZWw@h"),
            "options of their own",
        ),
        (
            "s3://bkt",
            with_keys("endpoint", "https://h/bkt"),
            "leave `/bkt` out",
        ),
        (
            "s3://bkt",
            vec![("access_key_id", "x")],
            "secret_access_key",
        ),
        (
            "s3://bkt",
            vec![("secret_access_key", SENTINEL)],
            "access_key_id",
        ),
        (
            "gs://bkt",
            vec![("service_account_path", "/nowhere.json")],
            "could not read `/nowhere.json`",
        ),
        (
            "gs://bkt",
            vec![("service_account_key", "{not json c2VudGluZWw")],
            "could not set up `gs://bkt`",
        ),
        (
            "az://c",
            vec![("account_name", "a"), ("access_key", "%sentinel%")],
            "could not set up `az://a/c`",
        ),
        ("/tmp", emulator.to_vec(), "no option of local destinations"),
    ];
    for (url, options, words) in cases {
        let error = open(url, &options, &[]).await.unwrap_err();
        let told = told(&error);
        assert!(told.contains(words), "{options:?}: {told}");
        assert!(error.is_usage(), "{told}");
        assert!(
            !told.contains("sentinel") && !told.contains("c2Vud"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_told_soon_and_without_secrets() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let sas = format!("sv=2024-01-01&sig={SENTINEL}");
    let s3 = with_keys(&[("endpoint", &endpoint)]);
    for (url, options) in [
        ("s3://bkt/x", s3),
        (
            "az://c/x",
            vec![
                ("account_name", "a"),
                ("sas_token", &sas),
                ("endpoint", &endpoint),
            ],
        ),
    ] {
        let destination = open(url, &options, &[]).await.unwrap();
        let error = destination.probe().await.unwrap_err();
        let told = told(&error);
        assert_eq!(error.kind(), FailureKind::Unreachable, "{told}");
        assert!(told.to_lowercase().contains("refused"), "{told}");
        assert!(!told.contains(SENTINEL), "{told}");
    }
}

/// What a scripted store does.
#[derive(Debug, Clone)]
enum Script {
    /// Answers everything by this.
    Always(StatusCode, String),
    /// Takes uploads, but begins none with these checksums.
    Refusing(&'static [&'static str]),
    /// Takes uploads, but no part with a checksum.
    RefusingParts,
}

/// The checksum with which an upload was begun, or `none`; and whether a part was signed.
type Seen = Arc<Mutex<Vec<String>>>;

/// A server that speaks just enough S3 to be probed; says what it saw.
async fn scripted(script: Script) -> (String, Seen) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let router = Router::new()
        .fallback(answer)
        .with_state((script, Arc::clone(&seen)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (endpoint, seen)
}

async fn answer(
    State((script, seen)): State<(Script, Seen)>,
    method: Method,
    uri: Uri,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    const ETAG: [(&str, &str); 1] = [("etag", "\"e\"")];
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Script::Always(status, body) = script {
        let echo = format!("{uri} {:?}", header("authorization"));
        return (status, ETAG, body.replace("ECHO", &echo));
    }
    let checksum = header("x-amz-checksum-algorithm").unwrap_or("none");
    let begins = method == Method::POST && query.as_deref() == Some("uploads=");
    if begins {
        seen.lock().unwrap().push(checksum.to_owned());
    } else if method == Method::PUT {
        let signed = header("x-amz-content-sha256") != Some("UNSIGNED-PAYLOAD");
        let kind = if signed { "signed" } else { "unsigned" };
        seen.lock().unwrap().push(kind.to_owned());
    }
    let of_part = header("x-amz-checksum-sha256").or(header("x-amz-checksum-crc64nvme"));
    let is_refused = match (&script, method.as_str()) {
        (Script::Refusing(refused), "POST") => refused.contains(&checksum),
        (Script::RefusingParts, "PUT") => of_part.is_some(),
        _others => false,
    };
    match method.as_str() {
        _any if is_refused => (
            StatusCode::BAD_REQUEST,
            ETAG,
            "<Error><Code>InvalidArgument</Code></Error>".to_owned(),
        ),
        "POST" if begins => (
            StatusCode::OK,
            ETAG,
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
                .to_owned(),
        ),
        "PUT" => (StatusCode::OK, ETAG, String::new()),
        "DELETE" => (StatusCode::NO_CONTENT, ETAG, String::new()),
        _other => (
            StatusCode::NOT_FOUND,
            ETAG,
            "<Error><Code>NoSuchKey</Code></Error>".to_owned(),
        ),
    }
}

#[tokio::test]
async fn a_store_that_refuses_checksums_is_used_without_unless_they_were_asked_for() {
    for (script, seen_first) in [
        (
            Script::Refusing(&["SHA256", "CRC64NVME"]),
            ["SHA256", "none", "signed"].as_slice(),
        ),
        (
            Script::RefusingParts,
            &["SHA256", "signed", "none", "signed"],
        ),
    ] {
        let (endpoint, seen) = scripted(script).await;
        let options = with_keys(&[("endpoint", &endpoint), ("unsigned_payload", "false")]);
        let destination = open("s3://bkt/x", &options, &[]).await.unwrap();
        for expected in [seen_first, &["none", "signed"]] {
            destination.probe().await.unwrap();
            assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), expected);
        }

        for asked in ["sha256", "crc64nvme"] {
            let asked = with_keys(&[("endpoint", &endpoint), ("checksum_algorithm", asked)]);
            let destination = open("s3://bkt/x", &asked, &[]).await.unwrap();
            let told = told(&destination.probe().await.unwrap_err());
            assert!(told.contains("`checksum_algorithm = \"sha256\"` or `\"none\"`"));
            seen.lock().unwrap().clear();
        }

        let none = with_keys(&[("endpoint", &endpoint), ("checksum_algorithm", "none")]);
        let destination = open("s3://bkt/x", &none, &[]).await.unwrap();
        destination.probe().await.unwrap();
        assert_eq!(*seen.lock().unwrap(), ["none", "signed"]);
    }
}

#[tokio::test]
async fn a_crc_of_parts_is_tried_where_nobody_else_could_change_them() {
    let (endpoint, seen) = scripted(Script::Refusing(&[])).await;
    for (more, expected) in [
        (
            vec![],
            ["SHA256", "signed", "CRC64NVME", "unsigned"].as_slice(),
        ),
        (vec![("unsigned_payload", "false")], &["SHA256", "signed"]),
        (
            vec![("checksum_algorithm", "sha256")],
            &["SHA256", "signed"],
        ),
    ] {
        let options = with_keys(&[vec![("endpoint", endpoint.as_str())], more].concat());
        let destination = open("s3://bkt/x", &options, &[]).await.unwrap();
        destination.probe().await.unwrap();
        assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), expected);
    }
}

#[tokio::test]
async fn a_store_that_refuses_a_crc_is_good_all_the_same() {
    let (endpoint, seen) = scripted(Script::Refusing(&["CRC64NVME"])).await;
    let options = with_keys(&[("endpoint", &endpoint)]);
    let destination = open("s3://bkt/x", &options, &[]).await.unwrap();
    destination.probe().await.unwrap();
    assert_eq!(*seen.lock().unwrap(), ["SHA256", "signed", "CRC64NVME"]);
}

#[tokio::test]
async fn a_store_that_refuses_everything_says_why_at_every_try() {
    let error = "<Error><Code>InvalidArgument</Code></Error>".to_owned();
    let (endpoint, _seen) = scripted(Script::Always(StatusCode::BAD_REQUEST, error)).await;
    let options = with_keys(&[("endpoint", &endpoint)]);
    let destination = open("s3://bkt/x", &options, &[]).await.unwrap();
    for _again in 0..2 {
        let error = destination.probe().await.unwrap_err();
        assert!(told(&error).contains("InvalidArgument"));
    }
}

#[tokio::test]
async fn answers_to_a_probe_are_told_by_their_kind_and_without_secrets() {
    let error = |code: &str| {
        format!("<Error><Code>{code}</Code><Message>no</Message><Resource>ECHO</Resource></Error>")
    };
    for (status, code, kind, hint) in [
        (
            403,
            "SignatureDoesNotMatch",
            FailureKind::Credentials,
            "check the key",
        ),
        (
            404,
            "NoSuchBucket",
            FailureKind::NotFound,
            "check the name of the bucket",
        ),
        (
            404,
            "Whatever",
            FailureKind::NotFound,
            "check the name of the bucket",
        ),
        (
            301,
            "PermanentRedirect",
            FailureKind::Destination,
            "`region`",
        ),
        (507, "Full", FailureKind::NoSpace, "make room"),
        (503, "SlowDown", FailureKind::Destination, "run again later"),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let (endpoint, _seen) = scripted(Script::Always(status, error(code))).await;
        let sas = format!("sv=1&sig={SENTINEL}");
        for (url, options) in [
            ("s3://bkt/x", with_keys(&[("endpoint", &endpoint)])),
            (
                "az://c/x",
                vec![
                    ("account_name", "a"),
                    ("sas_token", &sas),
                    ("endpoint", &endpoint),
                ],
            ),
        ] {
            let destination = open(url, &options, &[]).await.unwrap();
            let error = destination.probe().await.unwrap_err();
            let told = told(&error);
            assert_eq!(error.kind(), kind, "{told}");
            assert!(told.contains(hint), "{told}");
            assert!(
                !told.contains(SENTINEL) && !told.contains("Signature="),
                "{told}"
            );
        }
    }
    // A body that is no XML is repeated in short, and what is secret in it is cut.
    let body = "see ECHO".to_owned();
    let (endpoint, _seen) = scripted(Script::Always(StatusCode::FORBIDDEN, body)).await;
    let options = [
        ("account_name", "a"),
        ("sas_token", &format!("sig={SENTINEL}")),
        ("endpoint", &endpoint),
    ];
    let destination = open("az://c/x", &options, &[]).await.unwrap();
    let error = destination.probe().await.unwrap_err();
    assert!(!told(&error).contains(SENTINEL), "{}", told(&error));
}

//! The example, what is refused and how, and that the environment has the last word.

use super::super::settings::Level;
use super::*;

const EXAMPLE: &str = include_str!("../../../dist/gateway.toml");
const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// The settings of a text, under an environment.
fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let settings = Settings::parse(text).map_err(|(line, why)| format!("line {line}: {why}"))?;
    let variables: Vec<(String, String)> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let find = move |name: &str| Some(variables.iter().find(|(known, _)| known == name)?.1.clone());
    Config::of(settings, "a test".to_owned(), &Environment(Box::new(find)))
}

fn minimal(more: &str) -> String {
    let recipient = "0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f";
    format!(
        "realm = \"a.example\"\nrecipient = \"{recipient}\"\nchain_id = 1\nrpc = \"http://127.0.0.1:1\"\n{more}"
    )
}

/// The example with every setting that it shows in a comment: `#key = value`, without a space.
fn uncommented() -> String {
    let setting = |line: &&str| line.starts_with('#') && !line.starts_with("# ") && *line != "#";
    EXAMPLE.lines().map(|line| if setting(&line) { &line[1..] } else { line }).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_is_read_and_what_it_sets_is_all_that_has_to_be_set() {
    let settings = Settings::parse(EXAMPLE).unwrap();
    let expected = Settings {
        realm: settings.realm.clone(),
        recipient: settings.recipient,
        chain_id: settings.chain_id,
        rpc: settings.rpc.clone(),
        ..Settings::default()
    };
    assert_eq!(settings, expected);
    read(EXAMPLE, &[("XAI_API_KEY", "xai-1")]).map(drop).unwrap();
}

#[test]
fn the_example_shows_every_default() {
    let shown = Settings::parse(&uncommented()).unwrap_or_else(|error| panic!("{error:?}"));
    let default = Settings::default();
    assert_eq!(shown.prices, default.prices);
    assert_eq!(shown.limits, default.limits);
    assert_eq!(shown.payment, default.payment);
    assert_eq!((&shown.log, &shown.metrics), (&default.log, &default.metrics));
    assert_eq!(
        (shown.listen, shown.currency, &shown.database),
        (default.listen, default.currency, &default.database)
    );
    assert_eq!((shown.finish_seconds, shown.upstream.kind), (default.finish_seconds, default.upstream.kind));
    let sponsor =
        Sponsor { key_file: shown.sponsor.as_ref().unwrap().key_file.clone(), ..Sponsor::default() };
    assert_eq!(shown.sponsor, Some(sponsor));
    let shown = format!("{shown:?}");
    assert_eq!(shown.split_once("None").map(|(_, after)| after), None, "a setting is not shown: {shown}");
}

#[test]
fn what_is_wrong_is_told_by_line_and_what_to_do() {
    for (text, line, words) in [
        ("\nlisten = 8402", 2, "socket address"),
        ("realm = \"x\"\nsecret = \"y\"", 2, "unknown field `secret`"),
        ("[limits]\n\nburst = 0", 3, "nonzero"),
        ("[limits]\nbrust = 1", 2, "unknown field `brust`"),
        ("recipient = \"0x1\"", 1, "40 hexadecimal digits"),
        ("[upstream]\nkind = \"openai\"", 2, "expected one of `xai`, `compatible`, `sandbox`"),
        ("[prices]\nmargin = -1", 2, "expected u64"),
        ("[[prices.tokens]]\nmodel = \"x\"\ninput = 1", 1, "missing field `output`"),
        ("[payment]\nmodes = [\"pull\", \"poll\"]", 2, "expected `pull` or `push`"),
        ("[tls]\nkey_file = \"x\"", 1, "missing field `certificate_file`"),
        ("a\n=", 1, "="),
    ] {
        let (found, why) = Settings::parse(text).unwrap_err();
        assert!(found == line && why.contains(words), "{text:?}: line {found}: {why}");
    }
}

#[test]
fn what_is_missing_or_means_nothing_is_refused_with_what_to_do() {
    let xai = ("XAI_API_KEY", "xai-1");
    let refused = |text: &str, variables: &[(&str, &str)]| read(text, variables).map(drop).unwrap_err();
    for (text, variables, words) in [
        ("", &[xai][..], "realm is missing: set it in the config file, or GROK_GATEWAY_REALM"),
        (&minimal(""), &[], "XAI_API_KEY is missing"),
        (&minimal(""), &[("XAI_API_KEY", "a b")], "spaces"),
        (&minimal(""), &[xai, ("GROK_GATEWAY_RECIPIENT", &format!("0x{:040}", 0))], "zero address"),
        (&minimal(""), &[xai, ("GROK_GATEWAY_RECIPIENT", &format!("0x20c0{:036}", 0))], "is a token"),
        (
            &minimal(""),
            &[xai, ("GROK_GATEWAY_RECIPIENT", "0x23618E81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f")],
            "wrong case",
        ),
        (
            &minimal(""),
            &[xai, ("GROK_GATEWAY_CHAIN_ID", "main")],
            "GROK_GATEWAY_CHAIN_ID: must be a whole number",
        ),
        (
            &minimal(""),
            &[xai, ("GROK_GATEWAY_LISTEN", "here")],
            "GROK_GATEWAY_LISTEN: invalid socket address",
        ),
        (&minimal(""), &[xai, ("GROK_GATEWAY_SECRET", "abc")], "64 or more hexadecimal digits"),
        (&minimal(""), &[xai, ("GROK_GATEWAY_DATABASE", "postgres://u:p@h/d")], "GROK_GATEWAY_SECRET"),
        (&minimal(""), &[xai, ("GROK_GATEWAY_DATABASE", "mysql://u:hush@h/d")], "postgres:// URL"),
        (&minimal("database = \"postgres://u:hush@h/d\""), &[xai], "GROK_GATEWAY_DATABASE"),
        (&minimal("[sponsor]"), &[xai], "GROK_GATEWAY_SPONSOR_KEY"),
        (&minimal(""), &[xai, ("GROK_GATEWAY_OPERATOR_KEY", "hush")], "the operator's key cannot be used"),
        (&minimal("[payment]\nmodes = []"), &[xai], "payment.modes is empty"),
    ] {
        let why = refused(text, variables);
        assert!(why.contains(words) && !why.contains("hush"), "{text} {variables:?}: {why}");
    }
}

#[test]
fn the_environment_beats_the_file() {
    let text = minimal("listen = \"127.0.0.1:1\"\n[upstream]\nkind = \"xai\"\n[log]\nlevel = \"warn\"");
    let config = read(
        &text,
        &[
            ("GROK_GATEWAY_LISTEN", "127.0.0.1:2"),
            ("GROK_GATEWAY_REALM", "b.example"),
            ("GROK_GATEWAY_CHAIN_ID", "2"),
            ("GROK_GATEWAY_RPC", "http://127.0.0.1:2"),
            ("GROK_GATEWAY_UPSTREAM", "sandbox"),
            ("GROK_GATEWAY_LOG_LEVEL", "debug"),
            ("GROK_GATEWAY_TRUSTED_PROXIES", "2"),
            ("GROK_GATEWAY_DATABASE", "b.sqlite"),
            ("GROK_GATEWAY_OPERATOR_KEY", KEY),
            ("GROK_GATEWAY_SPONSOR_KEY", KEY),
        ],
    );
    let config = config.map_err(|why| panic!("{why}")).unwrap();
    let settings = &config.settings;
    assert_eq!((settings.listen.port(), config.chain_id, config.rpc.as_str()), (2, 2, "http://127.0.0.1:2"));
    assert_eq!((config.payee.realm.as_str(), settings.upstream.kind), ("b.example", Kind::Sandbox));
    assert_eq!((settings.limits.trusted_proxies, settings.log.level), (2, Level::Debug));
    assert!(matches!(&config.database, Database::Sqlite(path) if path == Path::new("b.sqlite")));
    assert_eq!(config.operator.map(|key| key.address()), config.sponsor.map(|(key, _)| key.address()));
}

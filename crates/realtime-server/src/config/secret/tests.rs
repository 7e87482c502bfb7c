//! What an operator sees when a secret is given in a wrong shape or in the wrong position.

use std::{error::Error, fs, path::Path};

use crate::config::{Draft, keys::variable};

/// Long enough to be a key, of characters that TOML takes for a bare key or a text.
const HEX: &str = "5ec7e7000000000000000000000000000000000000000000000000000000beef";
const NUMBER: &str = "5107110000000000042";

fn shapes() -> Vec<String> {
    vec![
        format!("\"{HEX}\""),
        format!("'{HEX}'"),
        HEX.to_owned(),
        NUMBER.to_owned(),
        format!("{NUMBER}{NUMBER}"),
        format!("{NUMBER}.5"),
        format!("[\"{HEX}\"]"),
        format!("[[\"{HEX}\"]]"),
        format!("[{NUMBER}, \"{HEX}\"]"),
        format!("[{HEX}]"),
        format!("{{ {HEX} = true }}"),
        format!("{{ value = \"{HEX}\" }}"),
        format!("[{{ value = \"{HEX}\" }}]"),
        format!("\"{HEX}"),
        format!("\"{HEX}\" \"{HEX}\""),
        format!("\"{HEX}\\q\""),
        format!("{HEX}, {HEX}"),
        format!("\"\"\"{HEX}"),
        format!("true {HEX}"),
        format!("\"{}\"", &HEX[..8]),
    ]
}

/// All that is said of the layers, or nothing if they are usable.
fn said(file: Option<&Path>, env: &[(String, String)]) -> String {
    let checked = Draft::read(file, env.iter().cloned(), []).and_then(|draft| draft.checked(|_| {}));
    let Err(error) = checked else { return String::new() };
    let mut said = format!("{error}\n{error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        said = format!("{said}\n{cause}");
        source = cause.source();
    }
    said
}

#[test]
fn no_error_repeats_a_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("realtime.toml");
    let silent = |said: &str, what: &str| {
        assert!(!said.is_empty(), "{what} is usable");
        for part in [&HEX[..8], &NUMBER[..8], "beef"] {
            assert!(!said.contains(part), "{what}: {said}");
        }
    };
    // Every setting that is a secret, and near misses of its name.
    for setting in ["auth.hmac_secret_files = [\"{}\"]", "api.keys_file = \"{}\""] {
        let text = setting.replace("{}", HEX);
        fs::write(&path, &text).expect("a file");
        silent(&said(Some(&path), &[]), &text);
    }
    // A key in the position of a word.
    for setting in [
        "metrics.access",
        "log.level",
        "log.format",
        "delivery.overflow",
        "auth.hmac_algorithm",
        "auth.public_key_algorithm",
        "auth.jwks.rsa_algorithm",
    ] {
        for shape in [format!("\"{HEX}\""), format!("\"{HEX}, expected `open`\""), NUMBER.to_owned()] {
            let text = format!("{setting} = {shape}\n");
            fs::write(&path, &text).expect("a file");
            silent(&said(Some(&path), &[]), &text);
        }
        let env = [(variable(setting), HEX.to_owned())];
        silent(&said(None, &env), &format!("{env:?}"));
    }
    for word in ["subscribe", "overflow"] {
        let text = format!("[[namespaces]]\npattern = \"all\"\n{word} = \"{HEX}\"\n");
        fs::write(&path, &text).expect("a file");
        silent(&said(Some(&path), &[]), &text);
    }
    for (section, key) in [
        ("auth", "hmac_secret"),
        ("auth", "hmac_secretes"),
        ("auth", "hmac_secret.value"),
        ("auth", "public_key"),
        ("api", "keys"),
        ("api", "key"),
        ("api", "keys.first"),
    ] {
        let is_setting = ["hmac_secret", "public_key", "keys"].contains(&key);
        for shape in shapes().into_iter().take(if is_setting { usize::MAX } else { 8 }) {
            for text in [
                format!("[{section}]\n{key} = {shape}\n[server]\nlisten = 5\n"),
                format!("{section}.{key} = {shape}\nserver.listen = 5\n"),
                format!("[{section}]\n{key} = {shape}\n{key} = {shape}\n"),
                format!("{section} = {shape}\n"),
                format!("[{section}]\n{HEX} = {shape}\n"),
                format!("[{section}]\n{HEX}\n"),
                format!("[[{section}.{key}]]\n{HEX} = {shape}\n[server]\nlisten = 5\n"),
                format!("[{section}.{key}.{HEX}]\n[server]\nlisten = 5\n"),
            ] {
                fs::write(&path, &text).expect("a file");
                silent(&said(Some(&path), &[]), &text);
            }
            let plain = shape.trim_matches(['"', '\'']).to_owned();
            for value in [shape.clone(), plain.clone(), format!("[{shape}"), format!("{plain}\n")] {
                for name in [variable(&format!("{section}.{key}")), variable(section)] {
                    let env = [(name, value.clone()), ("REALTIME_QQ".to_owned(), String::new())];
                    silent(&said(None, &env), &format!("{env:?}"));
                }
            }
        }
    }
}

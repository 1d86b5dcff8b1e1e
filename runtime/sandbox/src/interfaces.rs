//! Does a component belong to our world? Decided by the names of what it imports and exports, so that the message can
//! say what is wrong before the linker finds the first thing that does not fit.

use crate::error::LoadError;

const PACKAGE: &str = "trackside:plugin";
/// The package that this node offers.
pub(crate) const OFFERED: &str = "trackside:plugin@0.1";
/// Minor version 0.1: within it, interfaces only grow.
const TRACK: &str = "0.1.";

const OURS: [&str; 9] =
    ["common", "context", "artifacts", "inference", "state", "outbox", "telemetry", "secrets", "http"];
const EXPORTS: [&str; 2] = ["describe", "step"];
/// WASI 0.2 packages that are linked, with everything in them denied.
const WASI: [&str; 6] = ["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:io", "wasi:random", "wasi:sockets"];

/// `package/interface@version`, taken apart.
struct Name<'a> {
    package: &'a str,
    interface: &'a str,
    version: &'a str,
}

impl<'a> Name<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let (path, version) = name.split_once('@').unwrap_or((name, ""));
        let (package, interface) = path.split_once('/')?;
        Some(Self { package, interface, version })
    }
}

/// Checks the names.
pub(crate) fn check(name: &str, imports: &[String], exports: &[String]) -> Result<(), LoadError> {
    let parsed = |names: &'_ [String]| {
        names.iter().filter_map(|name| Name::parse(name).map(|_| name.clone())).collect::<Vec<_>>()
    };
    for full in parsed(imports).iter().chain(&parsed(exports)) {
        if let Some(Name { package: PACKAGE, version, .. }) = Name::parse(full)
            && !version.starts_with(TRACK)
        {
            let found = format!("{PACKAGE}@{version}");
            return Err(LoadError::WrongTrack { name: name.to_owned(), found, offered: OFFERED });
        }
    }
    let has = |wanted: &str| {
        exports.iter().filter_map(|full| Name::parse(full)).any(|n| n.package == PACKAGE && n.interface == wanted)
    };
    let missing = EXPORTS.iter().filter(|wanted| !has(wanted)).copied().collect::<Vec<_>>();
    if !missing.is_empty() {
        let missing = missing.iter().map(|wanted| format!("`{PACKAGE}/{wanted}`")).collect::<Vec<_>>().join(" and ");
        return Err(LoadError::WrongWorld { name: name.to_owned(), missing, exports: list(exports) });
    }
    let unknown = imports.iter().filter(|full| !is_offered(full)).cloned().collect::<Vec<_>>();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(LoadError::UnknownImports { name: name.to_owned(), imports: list(&unknown) })
    }
}

fn is_offered(full: &str) -> bool {
    match Name::parse(full) {
        Some(Name { package: PACKAGE, interface, .. }) => OURS.contains(&interface),
        // The client's half: nothing here serves requests.
        Some(Name { package: "wasi:http", interface, version }) => {
            ["types", "outgoing-handler"].contains(&interface) && version.starts_with("0.2.")
        }
        Some(_) => is_wasi(full),
        None => false,
    }
}

/// Whether it is an interface of WASI that is linked.
pub(crate) fn is_wasi(full: &str) -> bool {
    Name::parse(full).is_some_and(|name| WASI.contains(&name.package) && name.version.starts_with("0.2."))
}

/// Names for a message.
pub(crate) fn list(names: &[String]) -> String {
    const SHOWN: usize = 8;
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let mut text = names.iter().take(SHOWN).map(|name| crate::recorder::one_line(name)).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use trackside_codes::Coded;

    use super::*;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    const GOOD: [&str; 2] = ["trackside:plugin/describe@0.1.0", "trackside:plugin/step@0.1.0"];

    #[test]
    fn our_world_with_wasi_passes() {
        let imports = [
            "trackside:plugin/artifacts@0.1.0",
            "wasi:io/poll@0.2.9",
            "wasi:cli/stderr@0.2.12",
            "wasi:http/types@0.2.9",
        ];
        assert!(check("x", &strings(&imports), &strings(&GOOD)).is_ok());
        // Exports that are left over, as QuickJS has one, are nobody's business.
        assert!(check("x", &[], &strings(&[GOOD[0], GOOD[1], "init"])).is_ok());
    }

    #[test]
    fn each_misfit_is_named() {
        let error = |imports: &[&str], exports: &[&str]| check("x", &strings(imports), &strings(exports)).unwrap_err();
        let track = error(&["trackside:plugin/context@0.2.0"], &GOOD);
        assert_eq!(track.code(), "TS-0313");
        assert!(track.to_string().contains("trackside:plugin@0.2.0") && track.to_string().contains(OFFERED));
        let world = error(&[], &["wasi:cli/run@0.2.3"]);
        assert_eq!(world.code(), "TS-0314");
        assert!(world.to_string().contains("wasi:cli/run@0.2.3"), "{world}");
        let imports = error(&["wasi:http/incoming-handler@0.2.3", "acme:gpu/launch@1.0.0"], &GOOD);
        assert_eq!(imports.code(), "TS-0315");
        assert!(imports.to_string().contains("acme:gpu/launch@1.0.0"), "{imports}");
    }
}

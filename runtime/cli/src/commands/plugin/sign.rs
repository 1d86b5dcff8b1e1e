//! `trackside plugin sign` and `trackside plugin keygen`

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use trackside_codes::code;

use clap::{Args, ValueEnum};
use serde_json::json;
use trackside_packages::{Algorithm, Curve, RegistryError, SIGNATURE_SUFFIX, SigningKey};
use trackside_spec::OciReference;

use super::fetch::{client, read_file};
use crate::{
    context::{Context, runtime},
    failure::{Exit, Failure},
};

/// Sign a plugin
///
/// A file gets a signature beside it, FILE.sig: base64, over the file itself, as `cosign sign-blob` and openssl make it. A
/// reference gets one in the registry, in cosign's layout.
#[derive(Debug, Args)]
pub struct Sign {
    /// The component (.wasm), or a reference (oci://…)
    #[arg(value_name = "FILE|REF")]
    what: String,
    /// The private key: PEM, PKCS#8, Ed25519 or ECDSA (P-256, P-384, P-521), not encrypted
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// Make a pair of keys to sign plugins and models with
///
/// Writes NAME.key, which must stay secret, and NAME.pub, which goes into [plugins] keys of the boxes, or into [policy] model_keys.
#[derive(Debug, Args)]
pub struct Keygen {
    /// The files' name without its ending
    name: PathBuf,
    /// What the key signs with
    #[arg(long, value_enum, default_value_t = Kind::Ed25519)]
    algorithm: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Ed25519
    Ed25519,
    /// ECDSA on P-256, cosign's kind
    P256,
    /// ECDSA on P-384
    P384,
    /// ECDSA on P-521
    P521,
}

/// Signs it.
pub fn execute(context: &Context, sign: &Sign) -> Result<(), Failure> {
    let key = signing_key(&sign.key)?;
    let id = key.public().id();
    let place = if OciReference::is_meant(&sign.what) {
        sign_reference(context, &sign.what, &key)?
    } else {
        sign_file(Path::new(&sign.what), &key)?
    };
    let console = context.console;
    if console.json { console.print_json(&json!({ "signature": place, "key": id })) } else { console.print(&place) }
}

/// Reads the key of `--key`. One that is not there is a fault of the command line.
pub fn signing_key(path: &Path) -> Result<SigningKey, Failure> {
    SigningKey::read(path).map_err(|error| match path.try_exists() {
        Ok(false) => Failure::ended_by(Exit::Usage, &error),
        _ => error.into(),
    })
}

fn sign_file(file: &Path, key: &SigningKey) -> Result<String, Failure> {
    let component = read_file(file)?;
    let signature = key.sign_base64(&component)?;
    let mut name = file.as_os_str().to_owned();
    name.push(SIGNATURE_SUFFIX);
    let name = PathBuf::from(name);
    std::fs::write(&name, format!("{signature}\n")).map_err(|error| unwritable(&name, &error))?;
    Ok(name.display().to_string())
}

fn sign_reference(context: &Context, text: &str, key: &SigningKey) -> Result<String, Failure> {
    let reference: OciReference = text.parse()?;
    let client = client(&context.any_project()?, &reference)?;
    let signed = runtime()?.block_on(async {
        let signed = client.resolve(&reference).await?;
        client.sign(&reference, signed, key).await?;
        Ok::<_, RegistryError>(signed)
    })?;
    Ok(OciReference { tag: None, ..reference.at(signed) }.to_string())
}

/// Makes the keys.
pub fn generate(context: &Context, keygen: &Keygen) -> Result<(), Failure> {
    let algorithm = match keygen.algorithm {
        Kind::Ed25519 => Algorithm::Ed25519,
        Kind::P256 => Algorithm::Ecdsa(Curve::P256),
        Kind::P384 => Algorithm::Ecdsa(Curve::P384),
        Kind::P521 => Algorithm::Ecdsa(Curve::P521),
    };
    let private = SigningKey::generate(algorithm)?;
    let public = SigningKey::from_pem(private.as_bytes())?.public();
    let with = |ending: &str| {
        let mut name = keygen.name.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let (secret, open) = (with(".key"), with(".pub"));
    create(&secret, &private, 0o600)?;
    create(&open, &public.to_pem(), 0o644)?;
    let console = context.console;
    if console.json {
        return console.print_json(&json!({
            "private": secret.display().to_string(), "public": open.display().to_string(), "key": public.id(),
        }));
    }
    console.print(&format!("{}\n{}", secret.display(), open.display()))?;
    let (secret, open) = (secret.display(), open.display());
    console.say(&format!(
        "Keep {secret} secret. On the boxes: [plugins] keys = [\"{open}\"], or [policy] model_keys = [\"{open}\"] for models"
    ));
    Ok(())
}

/// A key that is there is never written over.
fn create(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::new(
            code!("TS-0654"),
            format!(
                "{} is there already, and a key is never written over: give another name, or move it away",
                path.display()
            ),
        ),
        _ => unwritable(path, &error),
    })
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(code!("TS-0654"), format!("cannot write {}: {error}", path.display()))
}

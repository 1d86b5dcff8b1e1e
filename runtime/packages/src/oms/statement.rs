//! What a signature says of a model's files: an in-toto statement with the predicate of OpenSSF Model Signing.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read, Seek},
};

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    OmsError,
    paths::{ITSELF, NEVER, are_whole, check_path, is_never, part, shown},
};

/// The type of every statement.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What it is about.
const PREDICATE: &str = "https://model_signing/signature/v1.0";
/// Up to here a floating number is exact: 2 to the power of 53.
const LARGEST_FLOAT: f64 = 9_007_199_254_740_992.0;
/// Most files, and most parts of files.
const MOST: usize = 100_000;

/// A model's files, however they are kept.
pub trait Files {
    /// Which of them a signature means that is about one file and says no name.
    fn itself(&self) -> &str;

    /// Every regular file, from the model's folder on, with `/`, and its bytes.
    fn list(&self) -> Vec<SignedFile>;

    /// Opens one.
    ///
    /// # Errors
    /// The disk's.
    fn open(&self, path: &str) -> io::Result<Box<dyn ReadSeek + '_>>;
}

/// Something that is read from any place on.
pub trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedFile {
    /// From the model's folder on.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// Its SHA-256 in hexadecimal digits, where it is known.
    pub sha256: Option<String>,
}

/// The statement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Subject {
    name: String,
    digest: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Predicate {
    resources: Vec<Resource>,
    serialization: Serialization,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Resource {
    name: String,
    digest: String,
    algorithm: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Serialization {
    method: String,
    hash_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    shard_size: Option<u64>,
    allow_symlinks: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ignore_paths: Option<Vec<String>>,
}

/// A whole number, also as `16.0`: so writes the reference implementation, whose JSON knows one kind of number.
fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(from)? else { return Ok(None) };
    let exact = number.as_u64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..LARGEST_FLOAT).contains(float))?;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and within what is exact")]
        Some(float as u64)
    });
    exact.map(Some).ok_or_else(|| serde::de::Error::custom("the size of parts is no whole number"))
}

impl Statement {
    /// Of these files, each by its digest; `left_out` lies beside them and is no part of the model.
    ///
    /// # Errors
    /// When there is none, or one can not be read.
    pub(super) fn of(name: &str, files: &dyn Files, left_out: &[String]) -> Result<Self, OmsError> {
        let mut resources = Vec::new();
        for file in files.list() {
            if is_never(&file.path) {
                continue;
            }
            if resources.len() == MOST {
                return Err(OmsError::says(format!("it would be about more than {MOST} files")));
            }
            check_path(&file.path)?;
            let digest = match file.sha256 {
                Some(digest) => digest,
                None => digest(files, &file.path, file.size)?,
            };
            resources.push(Resource { name: file.path, digest, algorithm: "sha256".to_owned() });
        }
        if resources.is_empty() {
            return Err(OmsError::says("it would be about no file"));
        }
        resources.sort_by(|a, b| a.name.cmp(&b.name));
        let mut root = Context::new(&SHA256);
        for resource in &resources {
            root.update(&unhex(&resource.digest).ok_or_else(|| OmsError::says("a digest is none"))?);
        }
        let digest = BTreeMap::from([("sha256".to_owned(), hex(root.finish().as_ref()))]);
        let serialization = Serialization {
            method: "files".to_owned(),
            hash_type: "sha256".to_owned(),
            shard_size: None,
            allow_symlinks: false,
            ignore_paths: Some(NEVER.map(str::to_owned).into_iter().chain(left_out.iter().cloned()).collect()),
        };
        Ok(Self {
            kind: STATEMENT.to_owned(),
            subject: vec![Subject { name: name.to_owned(), digest }],
            predicate_type: PREDICATE.to_owned(),
            predicate: Predicate { resources, serialization },
        })
    }

    /// Whether it is one that can be held against files.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), OmsError> {
        let says = |words: &str| Err(OmsError::says(words));
        if self.kind != STATEMENT {
            return says("it holds no statement of in-toto, version 1");
        }
        if self.predicate_type != PREDICATE {
            return Err(OmsError::says(format!("it states {:?} instead of {PREDICATE}", shown(&self.predicate_type))));
        }
        if !matches!(self.subject.as_slice(), [subject] if !subject.name.is_empty()) {
            return says("it must have one subject");
        }
        let Predicate { resources, serialization } = &self.predicate;
        if resources.is_empty() || resources.len() > MOST {
            return Err(OmsError::says(format!("it is about {} files; 1 to {MOST} may be", resources.len())));
        }
        if serialization.hash_type != "sha256" {
            return Err(OmsError::method(format!("has digests of the kind {:?}", shown(&serialization.hash_type))));
        }
        match (serialization.method.as_str(), serialization.shard_size) {
            ("files", None) | ("shards", Some(1..)) => {}
            ("files" | "shards", _) => return says("files have no size of their parts, and parts have one"),
            (other, _) => return Err(OmsError::method(format!("cuts files by {:?}", shown(other)))),
        }
        if serialization.allow_symlinks {
            return Err(OmsError::method("allows symbolic links, which no model has here"));
        }
        // The reference implementation calls the digests of parts so.
        let of_parts = serialization.shard_size.map(|size| format!("sha256-sharded-{size}"));
        let is_other = |resource: &&Resource| {
            resource.algorithm != serialization.hash_type && Some(&resource.algorithm) != of_parts.as_ref()
        };
        if let Some(other) = resources.iter().find(is_other) {
            return Err(OmsError::method(format!("has a digest of the kind {:?}", shown(&other.algorithm))));
        }
        for path in serialization.ignore_paths.iter().flatten() {
            check_path(path)?;
            if path.contains(['*', '?', '[']) {
                return Err(OmsError::says(format!("it leaves out {:?}, which is a pattern", shown(path))));
            }
        }
        let is_whole = serialization.shard_size.is_none();
        for resource in resources {
            let (path, digits) = (self.path_of(resource)?, &resource.digest);
            if !(is_whole && resources.len() == 1 && path == ITSELF) {
                check_path(path)?;
            }
            if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(OmsError::says(format!("the digest of {:?} has not 64 digits", shown(path))));
            }
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = resources.iter().find(|resource| !names.insert(&resource.name)) {
            return Err(OmsError::says(format!("it names {:?} twice", shown(&twice.name))));
        }
        Ok(())
    }

    /// The file that is spoken of.
    fn path_of<'a>(&self, resource: &'a Resource) -> Result<&'a str, OmsError> {
        if self.predicate.serialization.shard_size.is_none() {
            return Ok(&resource.name);
        }
        let parted = part(&resource.name).map(|(path, ..)| path);
        parted.ok_or_else(|| OmsError::says(format!("{:?} is no part of a file", shown(&resource.name))))
    }

    /// The files that it names.
    pub(super) fn paths(&self, itself: &str) -> BTreeSet<String> {
        let paths = self.predicate.resources.iter().filter_map(|resource| self.path_of(resource).ok());
        paths.map(|path| if path == ITSELF { itself.to_owned() } else { path.to_owned() }).collect()
    }

    /// The digest that each file must have, by its path; nothing where it knows only those of parts.
    pub(super) fn digests(&self, itself: &str) -> Option<BTreeMap<String, String>> {
        let Predicate { resources, serialization } = &self.predicate;
        let own = |name: &str| if name == ITSELF { itself.to_owned() } else { name.to_owned() };
        let all = resources.iter().map(|resource| (own(&resource.name), resource.digest.to_ascii_lowercase()));
        serialization.shard_size.is_none().then(|| all.collect())
    }

    /// Whether files are what it says: every file that it names is there with that content, and no file is there that it does not name.
    ///
    /// # Errors
    /// The first file that is missing, other, or not named.
    pub(super) fn covers(&self, files: &dyn Files) -> Result<(), OmsError> {
        let Predicate { resources, serialization } = &self.predicate;
        let listed: BTreeMap<String, SignedFile> =
            files.list().into_iter().map(|file| (file.path.clone(), file)).collect();
        let mut named: BTreeMap<&str, Vec<(u64, u64, &str)>> = BTreeMap::new();
        for resource in resources {
            let (path, from, to) = match serialization.shard_size {
                None if resource.name == ITSELF => (files.itself(), 0, 0),
                None => (resource.name.as_str(), 0, 0),
                Some(_) => part(&resource.name)
                    .ok_or_else(|| OmsError::says(format!("{:?} is no part of a file", shown(&resource.name))))?,
            };
            let file = listed.get(path).ok_or_else(|| OmsError::Missing { path: shown(path) })?;
            if serialization.shard_size.is_none() {
                let given = match &file.sha256 {
                    Some(known) => known.clone(),
                    None => digest(files, path, file.size)?,
                };
                if !given.eq_ignore_ascii_case(&resource.digest) {
                    return Err(OmsError::Other { path: shown(path) });
                }
            }
            named.entry(path).or_default().push((from, to, &resource.digest));
        }
        for file in listed.values() {
            match (named.get(file.path.as_str()), serialization.shard_size) {
                (Some(_), None) => {}
                (Some(parts), Some(size)) => covers_parts(files, file, parts, size)?,
                // A file of nothing has no parts.
                (None, Some(_)) if file.size == 0 => {}
                (None, _) => return Err(OmsError::NotNamed { path: shown(&file.path) }),
            }
        }
        Ok(())
    }

    /// Whether it says of a path that it is no part of what was signed.
    pub(super) fn leaves_out(&self, path: &str) -> bool {
        let below =
            |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        is_never(path) || self.predicate.serialization.ignore_paths.iter().flatten().any(|ignored| below(ignored))
    }
}

fn digest(files: &dyn Files, path: &str, size: u64) -> Result<String, OmsError> {
    let mut context = Context::new(&SHA256);
    read(files, path, &[size], |bytes, _| context.update(bytes))?;
    Ok(hex(context.finish().as_ref()))
}

/// Whether these parts are all of a file, and it is what each of them says. Where the digest of the whole is known, what was read must have
/// that, too: whoever reads the file later holds it against that one.
fn covers_parts(files: &dyn Files, file: &SignedFile, parts: &[(u64, u64, &str)], size: u64) -> Result<(), OmsError> {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    let ranges: Vec<(u64, u64)> = parts.iter().map(|(from, to, _)| (*from, *to)).collect();
    if ranges.iter().any(|(from, to)| from >= to || *to > file.size) {
        return Err(OmsError::Other { path: shown(&file.path) });
    }
    if !are_whole(&ranges, size, file.size) {
        return Err(OmsError::NotNamed { path: shown(&file.path) });
    }
    let ends: Vec<u64> = ranges.iter().map(|(_, to)| *to).collect();
    let (mut whole, mut each) = (Context::new(&SHA256), vec![Context::new(&SHA256); ends.len()]);
    read(files, &file.path, &ends, |bytes, at| {
        whole.update(bytes);
        each[at].update(bytes);
    })?;
    let is = |context: Context, digest: &str| hex(context.finish().as_ref()).eq_ignore_ascii_case(digest);
    let are_parts = each.into_iter().zip(&parts).all(|(context, (.., digest))| is(context, digest));
    if !are_parts || file.sha256.as_ref().is_some_and(|known| !is(whole, known)) {
        return Err(OmsError::Other { path: shown(&file.path) });
    }
    Ok(())
}

/// Reads a file once up to the last of `ends`, and gives what is read with which of them comes next.
fn read(files: &dyn Files, path: &str, ends: &[u64], mut take: impl FnMut(&[u8], usize)) -> Result<(), OmsError> {
    let failed = |source| OmsError::Read { path: shown(path), source };
    let mut file = files.open(path).map_err(failed)?;
    let (mut part, mut done) = (vec![0; 64 << 10], 0);
    for (at, end) in ends.iter().enumerate() {
        while done < *end {
            let wanted = part.len().min(usize::try_from(end - done).unwrap_or(usize::MAX));
            let read = file.read(&mut part[..wanted]).map_err(failed)?;
            if read == 0 {
                return Err(failed(io::ErrorKind::UnexpectedEof.into()));
            }
            take(&part[..read], at);
            done += read as u64;
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

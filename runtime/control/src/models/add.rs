//! A new version of a model: its files on disk, looked at by another process, then its row.

use trackside_codes::Coded as _;
use trackside_models::{
    Tested,
    package::{Incoming, Kept, Manifest, PackageError, Shelf, Signature, Unpacked, unpack},
};
use trackside_node::{PackageFiles, signatures_of};
use trackside_packages::oms::OmsError;
use trackside_packages::{ModelSignature, ModelSignatures, ModelSigner};
use trackside_spec::{CHAMPION, Digest, check_model_alias, check_model_name};
use trackside_store::{AddedModel, ModelRow, ModelVersionRow, TestedModel, Write};
use trackside_sync::lock;

use super::{
    AddModel, AliasMoved, GivenModel, ModelAdded, ModelPlace, ModelsError,
    change::{alias_moves, writes_of},
};

/// Adds a version of a model, or finds the one of the same content. It is on disk when this ends; whatever happens before is as if
/// nothing had been asked.
///
/// # Errors
/// Any [`ModelsError`].
pub fn add_model(place: &mut ModelPlace, request: &AddModel, given: GivenModel) -> Result<ModelAdded, ModelsError> {
    let name = &request.name;
    check_model_name(name)?;
    request.aliases.iter().try_for_each(|alias| check_model_alias(alias))?;
    if place.declares(name) {
        return Err(ModelsError::Declared { name: name.clone() });
    }
    let shelf = place.shelf();
    let mut incoming = shelf.begin()?;
    let Unpacked { manifest, bytes, signatures } = take(given, &mut incoming, &shelf)?;
    let signatures = signatures.as_deref().map_or_else(|| Ok(ModelSignatures::default()), ModelSignatures::read)?;
    // A manifest that is signed is kept as it is, to the byte.
    let exact = signatures.iter().any(|signature| signature.form() == "manifest").then(|| bytes.clone());
    let doors = place.doors();
    if let Some(row) = place.read(|reader| reader.model(name))?
        && let Some((version, kept)) = same(&row, &manifest, exact.as_deref(), &shelf)
        && is_whole(&kept)
    {
        return there_already(place, request, &version, &kept, signatures);
    }
    let package = Kept { folder: incoming.folder().to_owned(), manifest, bytes };
    // Before another process looks into files that nobody vouches for.
    let (signer, caveat) = judge(place, name, &package, &signatures)?;
    let probe = {
        let _one = lock(&doors.probe);
        place.probe(name, &package)?
    };
    let (manifest, bytes) = complete(package.manifest, package.bytes, probe.signature, &shelf)?;
    // A folder that is mended keeps the signatures that it has.
    let before = shelf.open(&Digest::of(&bytes)).ok().and_then(|kept| signatures_of(&kept).ok()).unwrap_or_default();
    let package = Kept { folder: incoming.folder().to_owned(), manifest, bytes };
    let all = joined(place, &package, before, signatures.clone())?;
    let Kept { manifest, bytes, .. } = package;
    let digest = incoming.finish(&bytes, (!all.is_empty()).then(|| all.to_bytes()).as_deref())?;

    let _one = lock(&doors.change);
    let row = place.read(|reader| reader.model(name))?;
    let known = row.as_ref().and_then(|row| same(row, &manifest, exact.as_deref(), &shelf));
    let known = known.filter(|(version, kept)| version.digest == digest || is_whole(kept));
    // A folder of this digest has these very files: where one of them is not what it was, it is mended now.
    if place.read(|reader| reader.model_versions_with(&digest))? == 0
        || !shelf.open(&digest).is_ok_and(|kept| is_whole(&kept))
    {
        shelf.put(incoming, &digest)?;
    }
    if let Some((version, kept)) = known {
        drop(_one);
        return there_already(place, request, &version, &kept, signatures);
    }
    // Another name may have the very same version, with other signatures.
    join(place, &digest, &signatures)?;
    let (version, at_ms, by) = (row.as_ref().map_or(0, |row| row.last_version) + 1, place.now_ms(), place.by());
    let bytes = manifest.bytes();
    let tested = how(probe.tested).to_owned();
    let mut writes = vec![
        Write::ModelAdded(AddedModel { name: name.clone(), version, digest, bytes, at_ms, by: by.clone() }),
        Write::ModelTested(TestedModel {
            name: name.clone(),
            version,
            engine: probe.engine.clone(),
            how: tested.clone(),
            problem: None,
            at_ms,
            by: by.clone(),
        }),
    ];
    // The first version of a name is what the name means, until somebody says otherwise.
    let mut aliases = request.aliases.clone();
    if version == 1 && !aliases.iter().any(|alias| alias == CHAMPION) {
        aliases.push(CHAMPION.to_owned());
    }
    let moved = alias_moves(name, row.as_ref(), &aliases, Some(version));
    writes.extend(writes_of(&moved, at_ms, &by));
    place.keep(writes)?;
    Ok(ModelAdded {
        name: name.clone(),
        version,
        digest,
        bytes,
        added: true,
        moved,
        engine: Some(probe.engine),
        tested: Some(tested),
        signer,
        caveats: probe.caveats.into_iter().chain(caveat).collect(),
        warnings: probe.warnings,
    })
}

/// Writes what is given into the folder; the manifest comes last.
fn take(given: GivenModel, incoming: &mut Incoming, shelf: &Shelf) -> Result<Unpacked, PackageError> {
    match given {
        GivenModel::Archive(from) => unpack(from, incoming, &shelf.limits),
        GivenModel::Draft(draft) => {
            draft.signatures().map_or(Ok(()), |bytes| shelf.limits.check_signatures(bytes.len() as u64))?;
            let manifest = draft.manifest(&shelf.limits)?;
            incoming.expect(manifest.bytes())?;
            for entry in &manifest.files {
                incoming.take(entry, &mut draft.open(&entry.path)?)?;
            }
            let bytes = manifest.to_bytes(&shelf.limits)?;
            Ok(Unpacked { manifest, bytes, signatures: draft.signatures().map(<[u8]>::to_vec) })
        }
    }
}

/// Who vouches for what is to be added. Where nobody must, what somebody who does not count here has signed is kept, and told; but
/// files that are not what was signed are taken nowhere.
fn judge(
    place: &ModelPlace,
    name: &str,
    package: &Kept,
    signatures: &ModelSignatures,
) -> Result<(Option<ModelSigner>, Option<String>), ModelsError> {
    let trust = place.trust();
    // What signs a manifest signs it as it is kept.
    let is_over_manifest = signatures.iter().any(|signature| signature.form() == "manifest");
    if is_over_manifest && package.manifest.signature.is_none() {
        let reason =
            "a signature over the manifest comes with a manifest that does not say what the model takes".to_owned();
        return Err(OmsError::Malformed { reason }.into());
    }
    if signatures.is_empty() {
        return match trust.is_required() {
            true => {
                let reason = "it came without a signature".to_owned();
                Err(OmsError::NotSigned { what: format!("the model {name}"), reason }.into())
            }
            false => Ok((None, None)),
        };
    }
    match trust.judge(package, signatures) {
        Ok(signer) => Ok((Some(signer), None)),
        Err(error @ OmsError::NoKey { .. }) if !trust.is_required() => {
            // Whoever has signed it: other files than those are taken nowhere.
            let files = PackageFiles(package);
            signatures.iter().filter_map(ModelSignature::unproved).try_for_each(|signed| signed.covers(&files))?;
            Ok((None, Some(error.message())))
        }
        Err(error) => Err(error.into()),
    }
}

/// Keeps signatures with a version that is there, besides those that it has.
fn join(place: &ModelPlace, digest: &Digest, signatures: &ModelSignatures) -> Result<(), ModelsError> {
    if signatures.is_empty() {
        return Ok(());
    }
    let shelf = place.shelf();
    let kept = shelf.open(digest)?;
    let before = signatures_of(&kept).unwrap_or_default();
    let all = joined(place, &kept, before.clone(), signatures.clone())?;
    if all != before {
        shelf.sign(digest, &all.to_bytes())?;
        place.signed();
    }
    Ok(())
}

/// Signatures of a version with others, as many as there is room for.
fn joined(
    place: &ModelPlace,
    package: &Kept,
    before: ModelSignatures,
    newer: ModelSignatures,
) -> Result<ModelSignatures, ModelsError> {
    let all = place.trust().join(package, before, newer);
    if !all.is_empty() {
        place.shelf().limits.check_signatures(all.to_bytes().len() as u64)?;
    }
    Ok(all)
}

/// What is kept: a manifest that has been finished somewhere stays as it is to the byte, for it may be signed; but what it says of the
/// model must be so.
fn complete(
    manifest: Manifest,
    bytes: Vec<u8>,
    found: Signature,
    shelf: &Shelf,
) -> Result<(Manifest, Vec<u8>), PackageError> {
    match &manifest.signature {
        // Another program may have told more of the metadata, or less.
        Some(said) if (&said.inputs, &said.outputs, &said.opsets) == (&found.inputs, &found.outputs, &found.opsets) => {
            Ok((manifest, bytes))
        }
        Some(_) => {
            let reason = "it declares other inputs, outputs or operator sets than the model itself has".to_owned();
            Err(PackageError::Damaged { reason })
        }
        None => {
            let manifest = Manifest { signature: Some(found), ..manifest };
            let bytes = manifest.to_bytes(&shelf.limits)?;
            Ok((manifest, bytes))
        }
    }
}

/// The version of the same content, as far as its manifest can be read; of just this manifest where it must be that one.
fn same(row: &ModelRow, manifest: &Manifest, exact: Option<&[u8]>, shelf: &Shelf) -> Option<(ModelVersionRow, Kept)> {
    let is_same = |version: &ModelVersionRow| {
        let kept = shelf.open(&version.digest).ok().filter(|kept| kept.manifest.is_same(manifest))?;
        if exact.is_some_and(|exact| kept.bytes != exact) {
            return None;
        }
        Some((version.clone(), kept))
    };
    // The newest first: that is the one that somebody adds a second time.
    row.versions.iter().rev().filter(|version| version.bytes == manifest.bytes()).find_map(is_same)
}

/// Whether its files are what they should be, to the byte: who adds what is there already may do it to mend a disk's fault.
fn is_whole(kept: &Kept) -> bool {
    kept.verify().is_ok()
}

fn there_already(
    place: &mut ModelPlace,
    request: &AddModel,
    version: &ModelVersionRow,
    kept: &Kept,
    signatures: ModelSignatures,
) -> Result<ModelAdded, ModelsError> {
    let name = &request.name;
    // The version stays what it is: one that was signed since gets its signature, one that is not signed stays out of reach.
    let all = joined(place, kept, signatures_of(kept).unwrap_or_default(), signatures.clone())?;
    let (signer, caveat) = judge(place, name, kept, &all)?;
    let doors = place.doors();
    let _one = lock(&doors.change);
    // It may have been removed a moment ago.
    let row = place.read(|reader| reader.model(name))?;
    let row = row.filter(|row| row.version(version.version).is_some());
    let row = row.ok_or_else(|| trackside_store::Unresolved::Version {
        name: name.clone(),
        version: version.version,
        known: Vec::new(),
        last: version.version,
    })?;
    join(place, &version.digest, &signatures)?;
    let moved: Vec<AliasMoved> = alias_moves(name, Some(&row), &request.aliases, Some(version.version));
    let (at_ms, by) = (place.now_ms(), place.by());
    place.keep(writes_of(&moved, at_ms, &by))?;
    Ok(ModelAdded {
        name: name.clone(),
        version: version.version,
        digest: version.digest,
        bytes: version.bytes,
        added: false,
        moved,
        engine: None,
        tested: None,
        signer,
        caveats: caveat.into_iter().collect(),
        warnings: Vec::new(),
    })
}

pub(super) const fn how(tested: Tested) -> &'static str {
    match tested {
        Tested::Sample => "sample",
        Tested::MadeUp => "made-up",
        Tested::Not => "not",
    }
}

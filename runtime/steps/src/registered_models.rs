//! The registry of models, as steps see it.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex},
};

use trackside_codes::{Coded, Told};
use trackside_models::package::Shelf;
use trackside_spec::ModelRef;
use trackside_store::{Readers, Unresolved};
use trackside_sync::lock;

use crate::models::{Catalog, CatalogModel, ModelProblem};

/// The registry of a data folder. What was looked up once is remembered until something changes there.
pub struct RegisteredModels {
    readers: Arc<Readers>,
    shelf: Shelf,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The newest entry about any model when these were found.
    changed: i64,
    found: HashMap<ModelRef, CatalogModel>,
}

impl RegisteredModels {
    /// That of a data folder.
    #[must_use]
    pub fn new(readers: Arc<Readers>, data_dir: &Path) -> Self {
        Self { readers, shelf: Shelf::of(data_dir), known: Mutex::default() }
    }
}

impl Catalog for RegisteredModels {
    fn find(&self, reference: &ModelRef) -> Result<Option<CatalogModel>, ModelProblem> {
        let refused = |error: &dyn Coded| ModelProblem::Registry(Told::new(error.code(), error.message()));
        // Where nothing has run there is no registry.
        if !self.readers.is_there() {
            return Ok(None);
        }
        let changed = self.readers.with(|reader| reader.models_changed()).map_err(|error| refused(&error))?;
        let known = {
            let mut known = lock(&self.known);
            if known.changed != changed {
                *known = Known { changed, found: HashMap::new() };
            }
            known.found.get(reference).cloned()
        };
        if known.is_some() {
            return Ok(known);
        }
        let resolved = self.readers.with(|reader| reader.resolve_model(reference)).map_err(|error| refused(&error))?;
        let resolved = match resolved {
            Ok(resolved) => resolved,
            // Nobody has a registry whose models he could have meant.
            Err(Unresolved::Model { known, .. }) if known.is_empty() => return Ok(None),
            Err(unresolved) => return Err(refused(&unresolved)),
        };
        let kept = self.shelf.open(&resolved.version.digest).map_err(|error| refused(&error))?;
        let found = CatalogModel {
            version: resolved.version.version,
            path: kept.model(),
            selftest: kept.golden(),
            choice: kept.manifest.engine,
        };
        let mut known = lock(&self.known);
        if known.changed == changed {
            known.found.insert(reference.clone(), found.clone());
        }
        Ok(Some(found))
    }
}

//! The pages of a resource, with their paths: what the API has is told to whoever asks for something else.

use std::sync::Arc;

use axum::{
    Router,
    handler::Handler,
    routing::{get, post},
};

use super::Shared;
use crate::error::ApiError;

/// Some pages.
#[derive(Default)]
pub(super) struct Routes {
    router: Router<Arc<Shared>>,
    /// Each as `METHOD PATH`.
    known: Vec<String>,
}

impl Routes {
    /// With a page that is read.
    pub(super) fn get<T: 'static>(mut self, path: &str, page: impl Handler<T, Arc<Shared>>) -> Self {
        self.known.push(format!("GET {path}"));
        Self { router: self.router.route(path, get(page)), ..self }
    }

    /// With a page that something is sent to.
    pub(super) fn post<T: 'static>(mut self, path: &str, page: impl Handler<T, Arc<Shared>>) -> Self {
        self.known.push(format!("POST {path}"));
        Self { router: self.router.route(path, post(page)), ..self }
    }

    /// With the pages of another resource.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.known.extend(other.known);
        Self { router: self.router.merge(other.router), ..self }
    }

    /// Answers what is none of these pages.
    pub(super) fn serve(self, shared: Arc<Shared>) -> Router {
        let known: Arc<str> = self.known.join(", ").into();
        let no_method = known.clone();
        self.router
            .fallback(async move || ApiError::no_such_path(&known))
            .method_not_allowed_fallback(async move || ApiError::no_such_method(&no_method))
            .with_state(shared)
    }
}

#[cfg(test)]
mod tests {
    use super::super::resources;

    #[test]
    fn every_page_of_the_api_is_explained_to_the_operator() {
        let page = include_str!("../../../../docs/service.md");
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        for known in resources().known {
            // Pages that differ in their last word share a row: `POST /v1/runs/{id}/pause`, `/resume`.
            let (_, last) = known.rsplit_once('/').unwrap();
            let (method, path) = known.split_once(' ').unwrap();
            let stem = path.strip_suffix(last).unwrap();
            let is_told = |row: &&&str| {
                row.contains(&format!("`{known}`"))
                    || row.contains(&format!("`{method} {stem}")) && row.contains(&format!("`/{last}`"))
            };
            assert!(rows.iter().any(|row| is_told(&row)), "docs/service.md does not tell of {known}");
        }
    }
}

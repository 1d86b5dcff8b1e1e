//! The good rows and the bad ones, each into an artifact.

use std::io::{BufRead, BufWriter, Write};

use trackside_spec::ArtifactRef;
use trackside_store::{ArtifactWriter, Hold};

use super::{CheckError, row::Table};

/// Writes both.
pub struct Splitter {
    good: BufWriter<ArtifactWriter>,
    bad: BufWriter<ArtifactWriter>,
    line: Vec<u8>,
}

impl Splitter {
    /// Starts both with the header.
    pub fn new(hold: &Hold, header: &[u8]) -> Result<Self, CheckError> {
        let mut good = BufWriter::new(hold.create()?);
        let mut bad = BufWriter::new(hold.create()?);
        good.write_all(header)?;
        bad.write_all(header)?;
        Ok(Self { good, bad, line: Vec::new() })
    }

    /// One row, as it is in the file.
    pub fn row<R: BufRead>(&mut self, table: &Table<R>, good: bool) -> Result<(), CheckError> {
        self.line.clear();
        table.write(&mut self.line);
        let target = if good { &mut self.good } else { &mut self.bad };
        target.write_all(&self.line)?;
        Ok(())
    }

    /// The good rows under the name of the file, and the bad ones.
    pub fn finish(self, name: &str, media_type: &str) -> Result<(ArtifactRef, ArtifactRef), CheckError> {
        let whole = |writer: BufWriter<ArtifactWriter>| writer.into_inner().map_err(|error| error.into_error());
        let good = whole(self.good)?.finish(name, media_type)?;
        let bad = whole(self.bad)?.finish(&format!("quarantine-{name}"), media_type)?;
        Ok((good, bad))
    }
}

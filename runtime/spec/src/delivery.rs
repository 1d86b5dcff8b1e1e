//! What a path may be that a step delivers a file to: for who grants it and for who carries it out.

/// The longest part of a path in bytes; what Linux file systems take.
pub const LONGEST_NAME: usize = 255;
/// Most parts of the path below the granted folder, the file's name included: each may be a folder that has to be made.
pub const MOST_PARTS: usize = 64;

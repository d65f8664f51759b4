//! Pages under `docs/` whose commands and snippets are run as they stand there.

mod integrating;
mod page;

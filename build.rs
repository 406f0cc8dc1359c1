//! Puts the chat's widget where the gateway embeds it from: `widget/dist/widget.js` as npm built it or, where there is none,
//! a line that says how to build it. Never calls npm.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const NO_WIDGET: &str = "console.error(\"texthub: this build has no widget; run `npm ci && npm run build` in widget/\");\n";

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    widget(&out)
}

fn widget(out: &Path) -> io::Result<()> {
    let built = Path::new("widget/dist/widget.js");
    println!("cargo::rerun-if-changed=widget/dist");
    println!("cargo::rerun-if-changed=build.rs");
    let script = if built.is_file() { fs::read_to_string(built)? } else { NO_WIDGET.to_owned() };
    fs::write(out.join("widget.js"), script)
}

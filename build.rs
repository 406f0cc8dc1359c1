//! Puts what npm built where the gateway embeds it from: the files of the desk (`web/dist`), listed for memory-serve, and
//! the chat's widget (`widget/dist/widget.js`). Where one was not built, a page or a line says how to build it. Never
//! calls npm. Release builds embed the desk's files; debug builds read them from the disk, by this list.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const PLACEHOLDER: &str = include_str!("web/placeholder.html");
const NO_WIDGET: &str =
    "console.error(\"texthub: this build has no widget; run `npm ci && npm run build` in widget/\");\n";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    desk(&out)?;
    widget(&out)
}

fn desk(out: &Path) -> io::Result<()> {
    println!("cargo::rerun-if-changed=web/dist");
    println!("cargo::rerun-if-changed=web/placeholder.html");
    let built = Path::new("web/dist");
    let folder = if built.join("index.html").is_file() { built.to_owned() } else { placeholder(out)? };
    let folder = fs::canonicalize(folder)?;
    let is_release = env::var_os("PROFILE").is_some_and(|profile| profile == "release");
    let files = memory_serve::assets_to_code(&folder.to_string_lossy(), &folder, out, is_release, |_| {});
    fs::write(out.join("memory_serve_assets.rs"), format!("&[(\"desk\", {files})]"))
}

fn placeholder(out: &Path) -> io::Result<PathBuf> {
    let folder = out.join("placeholder");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("index.html"), PLACEHOLDER)?;
    Ok(folder)
}

fn widget(out: &Path) -> io::Result<()> {
    println!("cargo::rerun-if-changed=widget/dist");
    let built = Path::new("widget/dist/widget.js");
    let script = if built.is_file() { fs::read_to_string(built)? } else { NO_WIDGET.to_owned() };
    fs::write(out.join("widget.js"), script)
}

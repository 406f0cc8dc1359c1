//! Lists the files of the desk for memory-serve: `web/dist` as npm built it or, where there is none, a page that says how
//! to build it. Never calls npm. Release builds embed the files; debug builds read them from the disk, by this list.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const PLACEHOLDER: &str = include_str!("web/placeholder.html");

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=web/dist");
    println!("cargo::rerun-if-changed=web/placeholder.html");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let built = Path::new("web/dist");
    let folder = if built.join("index.html").is_file() { built.to_owned() } else { placeholder(&out)? };
    let folder = fs::canonicalize(folder)?;
    let is_release = env::var_os("PROFILE").is_some_and(|profile| profile == "release");
    let files = memory_serve::assets_to_code(&folder.to_string_lossy(), &folder, &out, is_release, |_| {});
    fs::write(out.join("memory_serve_assets.rs"), format!("&[(\"desk\", {files})]"))
}

fn placeholder(out: &Path) -> io::Result<PathBuf> {
    let folder = out.join("placeholder");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("index.html"), PLACEHOLDER)?;
    Ok(folder)
}

//! `sqlx::migrate!` embeds the migrations: build again when they change.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}

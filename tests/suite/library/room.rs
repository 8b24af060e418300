//! How much there is room for: quotas, and disks that are full.

use std::io::Write;
use std::process::Command;

use super::files_client::Files;
use super::fixture::Library;
use crate::rig::there_is;

fn nothing_aside(library: &Library, path: &str) {
    let names = std::fs::read_dir(library.path(path)).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    let aside = names
        .iter()
        .any(|name| name.to_string_lossy().contains("aside"));
    assert!(!aside, "{names:?}");
}

#[tokio::test]
async fn a_folder_holds_as_much_as_it_may() {
    let library = Library::new();
    let server = library.serve_users_with(&["--writable", "--quota", "1m"]);
    let files = Files::publisher(&server, "alice");
    let kilobytes = |count: usize| vec![0; count << 10];
    assert_eq!(files.put("alice/a", kilobytes(600)).await.status, 201);
    let full = files.put("alice/b", kilobytes(600)).await;
    assert_eq!(full.said(), "507 NO_ROOM");
    assert!(!library.path("alice/b").exists());
    // Each folder for itself; and what replaces something takes what that had.
    assert_eq!(files.put("common/b", kilobytes(600)).await.status, 201);
    assert_eq!(files.put("alice/a", kilobytes(900)).await.status, 204);
    assert_eq!(files.delete("alice/a").await.status, 204);
    assert_eq!(files.put("alice/b", kilobytes(900)).await.status, 201);
    // Also without a length.
    let pieces = (0..200).map(|_| vec![0; 1 << 10]);
    assert_eq!(files.put_pieces("alice/c", pieces), "507 NO_ROOM");
    assert!(!library.path("alice/c").exists());
    // Moved, it counts where it is then.
    let moved = files.rename("common/b", "alice/moved").await;
    assert_eq!(moved.said(), "507 NO_ROOM");
    assert_eq!(
        files.rename("alice/b", "common/c").await.said(),
        "507 NO_ROOM"
    );
    assert_eq!(files.delete("common/b").await.status, 204);
    assert_eq!(files.rename("alice/b", "common/c").await.status, 201);
    assert_eq!(files.put("alice/b", kilobytes(900)).await.status, 201);
    nothing_aside(&library, "alice");
}

#[tokio::test]
async fn uploads_at_once_and_in_parts_count() {
    let library = Library::new();
    let server = library.serve_with("", &["--no-auth", "--writable", "--quota", "1m"]);
    let files = Files::of(&server);
    let names = [
        "alice/0", "alice/1", "alice/2", "alice/3", "alice/4", "alice/5",
    ];
    let all = names.map(|name| files.put(name, vec![0; 400 << 10]));
    let all = futures_util::future::join_all(all).await;
    let mut statuses: Vec<u16> = all.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 507, 507, 507, 507]);
    files.send("DELETE", "alice/0", &[], "").await;
    for name in names {
        files.delete(name).await;
    }

    let part = |first: usize, last: usize| {
        let range = format!("bytes {first}-{last}/{}", 900 << 10);
        let files = &files;
        async move {
            let headers = [("Content-Range", range.as_str())];
            let body = vec![0; last - first + 1];
            files
                .send("PUT", "alice/x?upload=one", &headers, body)
                .await
                .said()
        }
    };
    assert_eq!(part(0, (500 << 10) - 1).await, "308");
    // Half of it lies there and counts.
    let other = files.put("alice/y", vec![0; 600 << 10]).await;
    assert_eq!(other.said(), "507 NO_ROOM");
    assert_eq!(files.put("alice/y", vec![0; 100 << 10]).await.status, 201);
    assert_eq!(part(500 << 10, (900 << 10) - 1).await, "201");
    assert_eq!(
        files.put("alice/z", vec![0; 100 << 10]).await.said(),
        "507 NO_ROOM"
    );
}

#[tokio::test]
async fn what_programs_in_the_workspace_write_and_remove_counts() {
    let library = Library::new();
    library.make_directory("alice/data/deep/er");
    library.write("alice/data/deep/er/x", vec![0; 900 << 10]);
    library.link("alice/data/passwd", "/etc/passwd");
    library.link("alice/data/round", "..");
    let server = library.serve_with("", &["--no-auth", "--writable", "--quota", "1m"]);
    let files = Files::of(&server);
    assert_eq!(
        files.put("alice/y", vec![0; 200 << 10]).await.said(),
        "507 NO_ROOM"
    );
    std::fs::remove_file(library.path("alice/data/deep/er/x")).unwrap();
    super::files_client::until("there is room again", async || {
        files.put("alice/y", vec![0; 200 << 10]).await.status == 201
    })
    .await;
}

/// A small file system of its own, until dropped.
struct Disk<'a> {
    library: &'a Library,
}

impl<'a> Disk<'a> {
    const AT: &'static str = "alice/data";

    fn new(library: &'a Library) -> Self {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]);
        assert!(
            mount
                .arg(library.path(Self::AT))
                .status()
                .unwrap()
                .success()
        );
        Self { library }
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let mut umount = Command::new("umount");
        let _ = umount.arg("-l").arg(self.library.path(Self::AT)).status();
    }
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_left_by_half() {
    let root = rustix::process::geteuid().is_root();
    if !there_is("root", root, "on_a_full_disk_nothing_is_left_by_half") {
        return;
    }
    let library = Library::new();
    let disk = Disk::new(&library);
    let server = library.serve_with("", &["--no-auth", "--writable"]);
    let files = Files::of(&server);
    library.write("alice/data/x", "as it was");

    // What does not fit is refused before it is sent.
    let large = files.put("alice/data/x", vec![0; 3 << 20]).await;
    assert_eq!(large.said(), "507 NO_ROOM");
    // Without a length it is found out on the way.
    let pieces = (0..300).map(|_| vec![0; 10 << 10]);
    assert_eq!(files.put_pieces("alice/data/x", pieces), "507 NO_ROOM");
    assert_eq!(
        std::fs::read(library.path("alice/data/x")).unwrap(),
        b"as it was"
    );
    nothing_aside(&library, "alice/data");

    // Somebody else fills it while a part arrives: what came is kept, and goes on when there is room.
    let total = 1 << 20;
    let part = |first: usize, last: usize| {
        let range = format!("bytes {first}-{last}/{total}");
        let files = &files;
        async move {
            let headers = [("Content-Range", range.as_str())];
            let body = vec![7; last - first + 1];
            let path = "alice/data/part?upload=one";
            files.send("PUT", path, &headers, body).await.said()
        }
    };
    assert_eq!(part(0, 99_999).await, "308");
    let mut filling = std::fs::File::create(library.path("alice/data/filling")).unwrap();
    while filling
        .write(&[b'x'; 4096])
        .is_ok_and(|written| written > 0)
    {}
    assert_eq!(part(100_000, total - 1).await, "507 NO_ROOM");
    let small = files.put("alice/data/small", "a few bytes").await;
    assert_eq!(small.said(), "507 NO_ROOM");
    drop(filling);
    std::fs::remove_file(library.path("alice/data/filling")).unwrap();
    assert_eq!(part(100_000, total - 1).await, "201");
    let found = std::fs::read(library.path("alice/data/part")).unwrap();
    assert!(found == vec![7; total]);
    nothing_aside(&library, "alice/data");
    drop(disk);
}

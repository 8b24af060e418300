//! Parts of files.

use std::os::unix::fs::FileExt;

use super::files_client::{Files, pattern, peak_memory};
use super::fixture::Library;

#[tokio::test]
async fn one_part_of_a_file_comes_exactly() {
    let library = Library::new();
    let contents = pattern(1 << 20);
    library.write("alice/x.bin", &contents);
    let server = library.serve();
    let files = Files::of(&server);
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=65530-65545", 65_530, 65_545),
        ("bytes=1000-", 1000, 1_048_575),
        ("bytes=-10", 1_048_566, 1_048_575),
        ("bytes=1048575-9999999", 1_048_575, 1_048_575),
        ("bytes=-9999999", 0, 1_048_575),
    ] {
        let answer = files.get_with("alice/x.bin", &[("Range", range)]).await;
        assert_eq!(answer.status, 206, "{range}");
        let said = format!("bytes {first}-{last}/1048576");
        assert_eq!(answer.header("content-range"), said, "{range}");
        let length = (last - first + 1).to_string();
        assert_eq!(answer.header("content-length"), length);
        assert!(answer.bytes == contents[first..=last], "{range}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_and_what_cannot_be_read_is_passed_over() {
    let library = Library::new();
    library.write("alice/x.txt", "0123456789");
    library.write("alice/empty", "");
    let server = library.serve();
    let files = Files::of(&server);
    for range in ["bytes=10-", "bytes=99-100", "bytes=-0"] {
        let answer = files.get_with("alice/x.txt", &[("Range", range)]).await;
        assert_eq!(answer.said(), "416 RANGE_NOT_SATISFIABLE", "{range}");
        assert_eq!(answer.header("content-range"), "bytes */10");
    }
    for range in [
        "bytes=0-1,4-5",
        "bytes=5-2",
        "lines=1-2",
        "bytes=",
        "rubbish",
    ] {
        let answer = files.get_with("alice/x.txt", &[("Range", range)]).await;
        assert_eq!(
            (answer.status, answer.text()),
            (200, "0123456789"),
            "{range}"
        );
    }
    let answer = files
        .get_with("alice/empty", &[("Range", "bytes=0-")])
        .await;
    assert_eq!(
        (answer.status, answer.header("content-range")),
        (416, "bytes */0")
    );
    // For the head alone, parts are not defined.
    let head = files
        .send("HEAD", "alice/x.txt", &[("Range", "bytes=0-1")], "")
        .await;
    assert_eq!((head.status, head.header("content-length")), (200, "10"));
}

#[tokio::test]
async fn a_part_is_of_the_contents_that_are_meant_or_all_comes() {
    let library = Library::new();
    library.write("alice/x.txt", "0123456789");
    let server = library.serve();
    let files = Files::of(&server);
    let first = files.get("alice/x.txt").await;
    let tag = first.header("etag").to_owned();
    let part = ("Range", "bytes=2-3");
    let answer = files
        .get_with("alice/x.txt", &[part, ("If-Range", &tag)])
        .await;
    assert_eq!((answer.status, answer.text()), (206, "23"));
    library.write("alice/x.txt", "abcdefghij");
    let answer = files
        .get_with("alice/x.txt", &[part, ("If-Range", &tag)])
        .await;
    assert_eq!((answer.status, answer.text()), (200, "abcdefghij"));
    let answer = files
        .get_with("alice/x.txt", &[part, ("If-None-Match", "*")])
        .await;
    assert_eq!(answer.status, 304);
    let answer = files
        .get_with("alice/x.txt", &[part, ("If-Match", &tag)])
        .await;
    assert_eq!(answer.status, 412);
}

#[tokio::test]
async fn ten_gigabytes_are_served_in_little_memory() {
    const SIZE: u64 = 10 << 30;
    let library = Library::new();
    let file = std::fs::File::create(library.path("alice/huge.mat")).unwrap();
    file.set_len(SIZE).unwrap();
    file.write_all_at(b"the middle", 5 << 30).unwrap();
    file.write_all_at(b"the end", SIZE - 7).unwrap();
    let server = library.serve();
    let files = Files::of(&server);
    let head = files.send("HEAD", "alice/huge.mat", &[], "").await;
    assert_eq!(head.header("content-length"), SIZE.to_string());
    for (range, expected) in [
        ("bytes=5368709120-5368709129", "the middle"),
        ("bytes=-7", "the end"),
        ("bytes=10737418233-", "the end"),
    ] {
        let answer = files.get_with("alice/huge.mat", &[("Range", range)]).await;
        assert_eq!((answer.status, answer.text()), (206, expected), "{range}");
    }
    // A quarter of a gigabyte of it, which would not fit where 64 megabytes do.
    let range = format!("bytes={}-{}", 5_u64 << 30, (5_u64 << 30) + (256 << 20) - 1);
    let address = files.address("alice/huge.mat");
    let request = super::fixture::client().get(address).header("Range", range);
    let mut response = request.send().await.unwrap();
    let mut read = 0;
    while let Some(chunk) = response.chunk().await.unwrap() {
        read += chunk.len();
    }
    assert_eq!(read, 256 << 20);
    let peak = peak_memory(server.pid());
    assert!(peak < 64 * 1024, "{peak} kB");
}

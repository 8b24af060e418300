//! The pure core: what a spec becomes, in memory. `cargo bench`; `scripts/bench render users` puts the figures beside their budgets.

#[path = "../tests/suite/golden/fixture.rs"]
mod fixture;

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use dtaas::auth::password;
use dtaas::secrets::Secret;
use dtaas::spec::load;
use fixture::Fixture;

const SPEC: &str = "version: 1\ndomain: foo.com\n";
const USERS: [u32; 3] = [10, 100, 1000];

/// Users' names, and the texts of their files.
fn users(count: u32) -> Vec<(String, String)> {
    (0..count)
        .map(|slot| (format!("user{slot:04}"), format!("slot: {slot}\n")))
        .collect()
}

fn fixture(count: u32) -> Fixture {
    let users = users(count);
    let users: Vec<(&str, &str)> = users
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    Fixture::new(SPEC, &users)
}

/// From texts to a spec that is known to be right.
fn spec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("spec");
    for count in USERS {
        let files: BTreeMap<String, String> = users(count)
            .into_iter()
            .map(|(name, text)| (format!("{name}.yaml"), text))
            .collect();
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| load::from_texts(black_box(SPEC), black_box(&files)).unwrap());
        });
    }
}

/// From a spec to everything that its machine should have, every file rendered.
fn machine(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("machine");
    for count in USERS {
        let fixture = fixture(count);
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| black_box(&fixture).machine());
        });
    }
}

/// The same of one user alone, among that many.
fn user(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("user");
    for count in USERS {
        let fixture = fixture(count);
        let name = "user0005".parse().unwrap();
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| black_box(&fixture).user(&name));
        });
    }
}

/// What a new password costs by design.
fn hash(criterion: &mut Criterion) {
    let secret = Secret::new("a password of the benchmarks");
    let mut group = criterion.benchmark_group("password");
    group.bench_function("hash", |bencher| {
        bencher.iter(|| password::hash(black_box(&secret)).unwrap());
    });
}

criterion_group! {
    name = core;
    config = Criterion::default().sample_size(20);
    targets = spec, machine, user, hash
}
criterion_main!(core);

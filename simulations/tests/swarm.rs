//! Worlds full of faults, and the proof that the oracles would notice: planted mistakes, each of which must be
//! caught within a stated number of seeds. `cargo run -p paramedic-simulations -- swarm` runs more of both.

use paramedic_simulations::swarm::{FAULTS, MISTAKES, Seeds, many, run};

fn seeds(from: u64, count: u64) -> Seeds {
    let jobs = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
    Seeds { from, count, jobs }
}

/// Seeds that are run before anybody looks whether a mistake was caught.
const TOGETHER: u64 = 8;

/// The seeds of the test: as many as a test may take. The command runs ten thousand.
const OF_THE_TEST: (u64, u64) = (250, 500);

#[test]
fn in_many_worlds_full_of_faults_every_law_holds() {
    let summary = many(seeds(OF_THE_TEST.0, OF_THE_TEST.1), None, |_, _| {});
    println!("{summary}");
    assert!(summary.failures.is_empty(), "{summary}");
    let missing: Vec<&str> =
        FAULTS.iter().filter(|fault| !summary.faults.contains_key(fault)).map(|fault| fault.name()).collect();
    assert!(missing.len() < FAULTS.len() / 4, "most faults happen, but not {missing:?}");
    assert!(summary.effects > 200, "the worlds are not just standing still: {summary}");
}

#[test]
fn every_planted_mistake_is_caught() {
    let mut missed = Vec::new();
    for mistake in MISTAKES {
        let (mut ran, mut caught) = (0, 0);
        // As many as it takes.
        while caught == 0 && ran < mistake.within {
            let some = many(seeds(mistake.from + ran, TOGETHER), Some(&mistake), |_, _| {});
            ran += TOGETHER;
            caught += some.caught_by(mistake.caught_by);
        }
        println!("{:<28} caught in {caught:>2} of {ran:>3} seeds", mistake.name);
        if caught == 0 {
            missed.push(mistake.name);
        }
    }
    assert_eq!(missed, [""; 0]);
}

#[test]
fn one_number_reproduces_a_run() {
    for seed in [3, 4711] {
        let [once, again] = [(), ()].map(|()| run(seed, None, true));
        assert!(once.transcript.len() > 20, "{:?}", once.transcript);
        assert_eq!(once.transcript, again.transcript);
    }
}

//! `paramedic-simulations swarm`: worlds full of faults, from seeds. For whoever works on paramedic; it is not shipped.
//! Data to stdout, progress to stderr; 0 when all laws held, 1 when one was broken, 2 when it was called wrongly.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

use paramedic_simulations::swarm::{MISTAKES, Mistake, Seeds, many, run};

const HELP: &str = "\
Runs the production engine, loop and remediations through worlds full of faults, and holds the laws against what each
world saw.

Usage: paramedic-simulations swarm [--seeds N] [--from SEED] [--jobs N] [--mistake NAME]
       paramedic-simulations swarm --seed SEED [--mistake NAME]
       paramedic-simulations swarm --mistakes

  --seeds N         how many seeds to run (default 100)
  --from SEED       the first of them (default 0)
  --jobs N          on so many threads (default: one for each core)
  --seed SEED       run one seed and print what happened in it
  --mistake NAME    plant a mistake, which the oracles should notice
  --mistakes        list the mistakes

Examples:
  cargo run --release -p paramedic-simulations -- swarm --seeds 10000
  cargo run -p paramedic-simulations -- swarm --seed 4711
";

/// What was asked for.
struct Wanted {
    seeds: Seeds,
    seed: Option<u64>,
    mistake: Option<Mistake>,
    list: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] | ["--help" | "-h", ..] | ["swarm", "--help" | "-h"] => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        ["swarm", rest @ ..] => match wanted(rest) {
            Ok(wanted) => swarm(&wanted),
            Err(problem) => {
                eprintln!("{problem}\nhint: see paramedic-simulations swarm --help");
                ExitCode::from(2)
            }
        },
        [other, ..] => {
            eprintln!("there is no command `{other}`\nhint: see paramedic-simulations --help");
            ExitCode::from(2)
        }
    }
}

fn wanted(arguments: &[&str]) -> Result<Wanted, String> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let seeds = Seeds { from: 0, count: 100, jobs: cores };
    let mut wanted = Wanted { seeds, seed: None, mistake: None, list: false };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().copied().ok_or(format!("{argument} needs a value"));
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is no number"));
        match *argument {
            "--seeds" => wanted.seeds.count = number(value()?)?,
            "--from" => wanted.seeds.from = number(value()?)?,
            "--jobs" => wanted.seeds.jobs = usize::try_from(number(value()?)?).unwrap_or(1).max(1),
            "--seed" => wanted.seed = Some(number(value()?)?),
            "--mistakes" => wanted.list = true,
            "--mistake" => {
                let name = value()?;
                let known = || MISTAKES.map(|mistake| mistake.name).join(", ");
                let mistake = Mistake::named(name);
                wanted.mistake = Some(
                    mistake.ok_or_else(|| format!("there is no mistake `{name}`; there are: {}", known()))?,
                );
            }
            other => return Err(format!("`{other}` is not known")),
        }
    }
    Ok(wanted)
}

fn swarm(wanted: &Wanted) -> ExitCode {
    if wanted.list {
        for Mistake { name, says, caught_by, .. } in MISTAKES {
            println!("{name:<28} {says} (noticed by {})", caught_by.join(", "));
        }
        return ExitCode::SUCCESS;
    }
    if let Some(seed) = wanted.seed {
        let told = run(seed, wanted.mistake.as_ref(), true);
        told.transcript.iter().for_each(|line| println!("{line}"));
        if told.transcript.is_empty() {
            told.violations.iter().for_each(|one| println!("BROKEN {}: {}", one.oracle, one.says));
        }
        return ended(told.violations.is_empty());
    }
    let (count, began) = (wanted.seeds.count, Instant::now());
    let is_terminal = std::io::stderr().is_terminal();
    let summary = many(wanted.seeds, wanted.mistake.as_ref(), |done, told| {
        if !told.violations.is_empty() {
            let start = if is_terminal { "\r" } else { "" };
            eprintln!("{start}seed {}: {}", told.seed, told.violations[0].says);
        }
        let each = if is_terminal { count.div_ceil(1000) } else { count.div_ceil(20) };
        if done.is_multiple_of(each.max(1)) || done == count {
            progress(done, count, began, is_terminal);
        }
    });
    println!("{summary}");
    ended(summary.failures.is_empty())
}

fn ended(held: bool) -> ExitCode {
    if held { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// How far it is, on one line where there is somebody to watch it.
fn progress(done: u64, count: u64, began: Instant, is_terminal: bool) {
    let (passed, width) = (began.elapsed().as_secs(), 40);
    let left = passed * (count - done) / done.max(1);
    let full = usize::try_from(done * width / count.max(1)).unwrap_or(0);
    let bar = format!("{}{}", "#".repeat(full), ".".repeat(usize::try_from(width).unwrap_or(0) - full));
    let mut stderr = std::io::stderr();
    let (start, end) = if is_terminal { ("\r", if done == count { "\n" } else { "" }) } else { ("", "\n") };
    // Whoever does not read the progress still gets the result.
    drop(write!(stderr, "{start}[{bar}] {done}/{count} seeds, {passed} s, about {left} s left{end}"));
    drop(stderr.flush());
}

//! Writes a made-up month of alerts as OpenMetrics, a file a day, for `promtool tsdb create-blocks-from openmetrics`. For the
//! bench of `paramedic backtest`; the tests call the same code. It must never write anywhere but into the folder it is told.

use std::path::PathBuf;
use std::process::ExitCode;

use paramedic_tests::history::Shape;

const USAGE: &str = "usage: make-history FOLDER EVENTS DAYS FROM [SEED]\n\
                     such as: make-history /tmp/history 1000000 30 1790812800\n\
                     EVENTS are beginnings and ends, FROM is a midnight in seconds since 1970";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| args.get(index).and_then(|text| text.parse::<i64>().ok());
    let (Some(folder), Some(events), Some(days), Some(from)) =
        (args.first().map(PathBuf::from), number(1), number(2), number(3))
    else {
        eprintln!("{USAGE}");
        return ExitCode::from(1);
    };
    let seed = number(4).unwrap_or(1).unsigned_abs();
    let shape = Shape { events: usize::try_from(events).unwrap_or_default(), days, from, seed };
    match std::fs::create_dir_all(&folder).and_then(|()| shape.write(&folder)) {
        Ok(files) => {
            files.iter().for_each(|file| println!("{}", file.display()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("could not write into {}: {error}", folder.display());
            ExitCode::from(2)
        }
    }
}

//! The wall clock of the running process steps, forward and back. The clock is the machine's, with `clock.c` before it
//! (built here by `cc`, preloaded): nothing in the daemon knows that it is a test.
//!
//! Not shown: a step of the whole machine, which tests must not make; Prometheus and Alertmanager do not step with it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use paramedic_tests::paramedic::{Paramedic, Plan};
use paramedic_tests::scratch::Scratch;

use crate::scene::{A_WHILE, Scene};

struct Clock {
    folder: Scratch,
    library: PathBuf,
    step: PathBuf,
}

impl Clock {
    fn of_the_machine() -> Self {
        let folder = Scratch::new("clock");
        let source = folder.write("clock.c", include_str!("clock.c"));
        let library = folder.path().join("clock.so");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl");
        let built = cc.output().expect("a C compiler is needed to build paramedic too");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let step = folder.write("step", 0_i64.to_ne_bytes());
        Self { folder, library, step }
    }

    fn under(&self, plan: Plan) -> Plan {
        plan.environment("LD_PRELOAD", &self.library.display().to_string())
            .environment("CLOCK_STEP", &self.step.display().to_string())
    }

    /// Ahead of the machine's clock by that much.
    fn is_ahead(&self, seconds: i64) {
        assert!(self.folder.path().exists());
        // In place: the process has it mapped.
        let mut file = std::fs::File::options().write(true).open(&self.step).expect("it was made");
        file.write_all(&seconds.to_ne_bytes()).expect("eight bytes");
    }
}

async fn accept(paramedic: &Paramedic) {
    let said = paramedic.client(&["resume", "--clock"]).await;
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
}

#[tokio::test]
async fn nothing_acts_after_a_step_of_the_clock_until_somebody_accepts_it() {
    let clock = Clock::of_the_machine();
    let scene = Scene::set().await;
    let paramedic = clock.under(scene.plan("{}", "[]")).start().await;
    scene.acts(&paramedic, "before").await;

    clock.is_ahead(7200);
    assert_eq!(scene.opens(&paramedic, "ahead").await, 200);
    scene.ruled(&paramedic, "ahead", "clockStepped").await;
    scene.stays_open("ahead", A_WHILE).await;
    accept(&paramedic).await;
    scene.closes("ahead").await;
    scene.acts(&paramedic, "accepted").await;

    // Back to what it was: time in the journal stands still then, and goes on when the clock has caught up.
    clock.is_ahead(0);
    assert_eq!(scene.opens(&paramedic, "back").await, 200);
    scene.ruled(&paramedic, "back", "clockStepped").await;
    scene.stays_open("back", A_WHILE).await;
    accept(&paramedic).await;
    scene.ruled(&paramedic, "back", "timeStandsStill").await;
    scene.stays_open("back", A_WHILE).await;

    clock.is_ahead(7260);
    scene.stays_open("back", A_WHILE).await;
    accept(&paramedic).await;
    scene.closes("back").await;
    scene.acts(&paramedic, "after").await;
    scene.holds(&paramedic).await;
}

#[tokio::test]
async fn a_start_before_the_last_record_acts_on_nothing_until_somebody_accepts_it() {
    let clock = Clock::of_the_machine();
    let scene = Scene::set().await;
    clock.is_ahead(3600);
    let mut paramedic = clock.under(scene.plan("{}", "[]")).start().await;
    scene.acts(&paramedic, "before").await;
    paramedic.kill();

    clock.is_ahead(0);
    paramedic.restart().await;
    assert_eq!(scene.opens(&paramedic, "early").await, 200);
    scene.ruled(&paramedic, "early", "clockStepped").await;
    scene.stays_open("early", A_WHILE).await;

    clock.is_ahead(3700);
    paramedic.restart().await;
    accept(&paramedic).await;
    scene.closes("early").await;
    scene.acts(&paramedic, "after").await;
    scene.holds(&paramedic).await;
}

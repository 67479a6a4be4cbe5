//! Circuit breakers over real HTTP: every endpoint is reached once, with the stamp and the correlation id on the wire.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use paramedic_policies::action::{Outcome, Wish};
use paramedic_policies::remediation::reset_breaker::{self, Endpoints};
use paramedic_policies::target::Target;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use serde_json::{Value, json};

use super::stand::{http_only, intent, preflight, sealed, stamp};

/// One process of Maestro: its breakers, and the resets it took.
#[derive(Clone, Default)]
struct Process {
    states: Arc<Mutex<BTreeMap<String, String>>>,
    resets: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Process {
    async fn serve(&self) -> String {
        let breakers = "/api/resilience/circuit-breakers";
        let app = Router::new()
            .route(breakers, get(list))
            .route(&format!("{breakers}/{{name}}/reset"), post(reset))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    fn open(state: &str) -> Self {
        let process = Self::default();
        process.states.lock().expect("unpoisoned").insert("postgres".into(), state.into());
        process
    }

    fn resets(&self) -> Vec<HeaderMap> {
        self.resets.lock().expect("unpoisoned").clone()
    }
}

async fn list(State(process): State<Process>) -> Json<Value> {
    let states = process.states.lock().expect("unpoisoned").clone();
    Json(states.into_iter().map(|(name, state)| (name, json!({"state": state, "failures": 5}))).collect())
}

async fn reset(State(process): State<Process>, Path(name): Path<String>, headers: HeaderMap) -> StatusCode {
    process.resets.lock().expect("unpoisoned").push(headers);
    match process.states.lock().expect("unpoisoned").get_mut(&name) {
        Some(state) => {
            *state = "CLOSED".into();
            StatusCode::NO_CONTENT
        }
        None => StatusCode::NOT_FOUND,
    }
}

#[tokio::test]
async fn a_breaker_is_closed_on_every_process_once() {
    let processes = [Process::open("OPEN"), Process::open("HALF_OPEN"), Process::open("CLOSED")];
    let mut urls = Vec::new();
    for process in &processes {
        // As people write them.
        urls.push(format!("{}/", process.serve().await));
    }
    let world = http_only();
    let target = Target { kind: "Service".into(), namespace: "prod".into(), name: "maestro".into() };
    let wish = Wish::ResetBreaker(reset_breaker::Wish {
        breaker: "postgres".into(),
        endpoints: Endpoints::Listed(urls),
    });
    let found = preflight(&world, &target, wish.clone(), true).await;
    assert_eq!(found.diff.as_ref().map(|diff| diff.fields.len()), Some(2), "{found:?}");
    let seal = sealed(intent(12, &target, &found));
    let outcome = world.perform(&seal, &Halt::never()).await;
    let Outcome::Done { diff: Some(diff), already: false } = &outcome else { panic!("{outcome:?}") };
    assert!(diff.fields.iter().all(|field| field.after == "CLOSED"), "{diff:?}");

    assert_eq!(world.perform(&seal, &Halt::never()).await, Outcome::Done { diff: None, already: true });
    assert_eq!(world.close(&seal).await.name(), "done");
    assert!(preflight(&world, &target, wish, false).await.already);
    let resets: Vec<usize> = processes.iter().map(|process| process.resets().len()).collect();
    assert_eq!(resets, [1, 1, 0], "a repeat sends nothing, and what is closed is left alone");
    let headers = &processes[0].resets()[0];
    assert_eq!(headers["idempotency-key"], stamp(12).as_str());
    assert_eq!(headers["x-correlation-id"], "c-1");
}

//! Many instances over one table.

use std::sync::Barrier;
use std::thread;

use streamgate_testkit::call;

use super::{Function, OPEN};

const STARTS: usize = 50;
const INSTANCES: usize = 4;
const LIMIT: usize = 3;
const ROUNDS: usize = 4;

#[test]
fn four_instances_admit_exactly_the_limit_of_50_parallel_starts() {
    let function = Function::with(INSTANCES, &OPEN);
    let address = function.behind_http_api().address;
    let barrier = Barrier::new(STARTS);
    let start = |player: usize| {
        let mut admitted = Vec::new();
        for round in 0..ROUNDS {
            barrier.wait();
            let path = format!("/v1/users/round-{round}/sessions/p{player}");
            let answer = call(address, "PUT", &path, None, None);
            match answer.status {
                201 => admitted.push(round),
                409 => assert_eq!(answer.code(), "limit_reached"),
                _ => panic!("{answer:?}"),
            }
        }
        admitted
    };
    let admitted: Vec<usize> = thread::scope(|scope| {
        let players = (0..STARTS).map(|player| scope.spawn(move || start(player)));
        let players: Vec<_> = players.collect();
        let admitted = players
            .into_iter()
            .flat_map(|player| player.join().unwrap());
        admitted.collect()
    });
    for round in 0..ROUNDS {
        let count = admitted
            .iter()
            .filter(|admitted| **admitted == round)
            .count();
        assert_eq!(count, LIMIT, "round {round}");
        let list = call(
            address,
            "GET",
            &format!("/v1/users/round-{round}/sessions"),
            None,
            None,
        );
        assert_eq!(list.json()["active"], LIMIT);
    }
}

//! Every order of events of small worlds: three servers, and of everything that can happen only so
//! much as a [`Budget`] allows. What a server hands to its disk is written in one step and spoken of
//! in another, and a crash keeps any beginning of what was not spoken of; what it says arrives in a
//! step of its own, or not at all if the connection breaks.
//!
//! Elections are not modelled: anybody may be made to lead or to follow at any time, which is more
//! than the election lets happen. Time stands still, but that a leader may find that it heard
//! nothing for too long.
//!
//! [`SMALL`] worlds are searched completely in every run of the tests, and of the [`LARGE`] one as
//! many states as there is time for. `ZAB_MODEL=deep cargo test --release -p zooid-zab --test
//! exhaustive -- --nocapture` also searches the [`DEEP`] worlds completely, and more of the large
//! one: a quarter of an hour. Each says how many states it has.
#![expect(clippy::unwrap_used, reason = "a model that contradicts itself is a failed test")]

mod model;
mod search;

use std::env;

use model::{Budget, Model};
use search::explore;

/// How a world begins, and what it may come to.
struct World {
    name: &'static str,
    begins: fn(Budget) -> Model,
    /// How much may happen; see [`Budget::of`].
    budget: &'static str,
}

const SMALL: [World; 10] = [
    World { name: "two writes", begins: Model::formed, budget: "LFFPP" },
    World { name: "a crash", begins: Model::formed, budget: "LFFFPC" },
    World { name: "two leaders, a crash", begins: Model::formed, budget: "LLFFPC" },
    World { name: "two leaders, a broken connection", begins: Model::formed, budget: "LLFFPB" },
    World { name: "a learner goes back and forth", begins: Model::formed, budget: "LLFFFBB" },
    World { name: "a deposed leader asked for all", begins: Model::formed, budget: "LLFFSB" },
    World { name: "a deposed leader is touched", begins: Model::formed, budget: "LLFFTB" },
    World { name: "torn logs, a crash", begins: Model::torn, budget: "LLFFC" },
    World { name: "first boot", begins: Model::fresh, budget: "LLFFF" },
    World { name: "first boot, a lost disk", begins: Model::fresh, budget: "LLFFFW" },
];

const DEEP: [World; 7] = [
    World { name: "two crashes", begins: Model::formed, budget: "LLFFPCC" },
    World { name: "a crash and a broken connection", begins: Model::formed, budget: "LLFFPCB" },
    World { name: "two crashes and a broken one", begins: Model::formed, budget: "LLFFPCCB" },
    World { name: "a sync, a silent leader", begins: Model::formed, budget: "LLFFFSQ" },
    World { name: "a touch, a silent leader", begins: Model::formed, budget: "LLFFFTQ" },
    World { name: "a lost disk", begins: Model::formed, budget: "LLFFFPW" },
    World { name: "torn logs, another crash", begins: Model::torn, budget: "LLFFFC" },
];

const LARGE: World = World {
    name: "three leaders, two writes, two crashes, a broken connection",
    begins: Model::formed,
    budget: "LLLFFFFFFPPCCBQST",
};

#[test]
fn nothing_goes_wrong_in_small_worlds() {
    let deep = env::var("ZAB_MODEL").is_ok_and(|model| model == "deep");
    let complete =
        SMALL.iter().chain(DEEP.iter().filter(|_| deep)).map(|world| (world, usize::MAX));
    let limit = if deep { 3_000_000 } else { 50_000 };
    for (World { name, begins, budget }, limit) in complete.chain([(&LARGE, limit)]) {
        let explored = explore(&begins(Budget::of(budget)), limit);
        println!("{name} ({budget}): {explored}");
    }
}

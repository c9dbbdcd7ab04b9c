//! Shows answers: a table for a person, an object for machines.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Answer, Report, is_well, leaders};

/// A line each, and one on all of them.
#[must_use]
pub(crate) fn text(answers: &[Answer]) -> String {
    let width =
        answers.iter().map(|answer| answer.server.len()).max().unwrap_or(0).max("SERVER".len());
    let (role, zxid, latency) = ("ROLE", "ZXID", "MS MIN/AVG/MAX");
    let mut text = format!(
        "{:width$}  {role:10}  {:>5}  {zxid:18}  {:>9}  {:>7}  {latency:16}  VERSION\n",
        "SERVER", "EPOCH", "ZNODES", "CLIENTS"
    );
    for answer in answers {
        let line = answer.says.as_ref().map_or_else(Clone::clone, line);
        writeln!(text, "{:width$}  {line}", answer.server).expect("a string takes all");
    }
    text + &verdict(answers) + "\n"
}

fn line(report: &Report) -> String {
    let Report { role, zxid, znodes, clients, latency, version } = report;
    let epoch = zxid.epoch().0;
    let zxid = zxid.to_string();
    format!("{role:10}  {epoch:>5}  {zxid:18}  {znodes:>9}  {clients:>7}  {latency:16}  {version}")
}

fn verdict(answers: &[Answer]) -> String {
    let serving = answers.iter().filter_map(Answer::report).count();
    let leaders: Vec<_> = leaders(answers).map(|answer| answer.server.as_str()).collect();
    let who = match leaders.as_slice() {
        [] if is_well(answers) => String::new(),
        [] => "; none of them leads".to_string(),
        [leader] => format!("; the leader is {leader}"),
        several => format!("; {} say that they lead", several.join(" and ")),
    };
    format!("{serving} of {} serve{who}", answers.len())
}

/// One object, on one line.
#[must_use]
pub(crate) fn json(answers: &[Answer]) -> String {
    let servers: Vec<_> = answers.iter().map(object).collect();
    let leader = leaders(answers).next().map(|answer| &answer.server);
    format!("{}\n", json!({ "ok": is_well(answers), "leader": leader, "servers": servers }))
}

fn object(answer: &Answer) -> Value {
    let Answer { server, says } = answer;
    let report = match says {
        Ok(report) => report,
        Err(error) => return json!({ "server": server, "error": error }),
    };
    json!({
        "server": server,
        "role": report.role.to_string(),
        "epoch": report.zxid.epoch().0,
        "zxid": report.zxid.to_string(),
        "znodes": report.znodes,
        "clients": report.clients,
        "latency_ms": report.latency,
        "version": report.version,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::super::report::tests::report;
    use super::*;

    fn answers() -> [Answer; 3] {
        let answer = |server: &str, says| Answer { server: server.to_string(), says };
        [
            answer("127.0.0.1:2181", Ok(report(Role::Follower))),
            answer("b:2181", Ok(report(Role::Leader))),
            answer("c:2181", Err("unreachable: nobody listens".to_string())),
        ]
    }

    #[test]
    fn a_table_for_a_person() {
        let expected = "\
SERVER          ROLE        EPOCH  ZXID                   ZNODES  CLIENTS  MS MIN/AVG/MAX    VERSION
127.0.0.1:2181  follower        2  0x200000004                 7        2  0/14.27/42        3.9.5-zooid-0.1.0
b:2181          leader          2  0x200000004                 7        2  0/14.27/42        3.9.5-zooid-0.1.0
c:2181          unreachable: nobody listens
2 of 3 serve; the leader is b:2181
";
        assert_eq!(text(&answers()), expected);
    }

    #[test]
    fn an_object_for_machines() {
        let value: Value = serde_json::from_str(&json(&answers())).unwrap();
        assert_eq!(value["ok"], false);
        assert_eq!(value["leader"], "b:2181");
        assert_eq!(value["servers"][0]["zxid"], "0x200000004");
        assert_eq!(value["servers"][0]["epoch"], 2);
        assert_eq!(value["servers"][2]["error"], "unreachable: nobody listens");
    }
}

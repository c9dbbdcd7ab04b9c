//! `cons`, and the lines of clients in `stat`.

use std::fmt::Write;
use std::time::Instant;

use zooid_ids::SessionId;
use zooid_transport::ConnectionReport;

use super::java::Address;

/// One moment by two clocks: times of answers are told as milliseconds of the second.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// By the clock that answers are timed with.
    pub instant: Instant,
    /// By the clock that goes on while the machine sleeps, in milliseconds.
    pub milliseconds: u64,
}

/// `cons`: all that is known of each connection.
#[must_use]
pub fn cons(connections: &[ConnectionReport], now: Now) -> String {
    let mut text = String::new();
    for connection in connections {
        text += &brief(connection);
        if connection.session != SessionId::NONE {
            add_session(&mut text, connection, now).expect("a string takes all");
        }
        text += ")\n";
    }
    text + "\n"
}

/// A connection's line, up to the bracket that ends it.
pub(super) fn brief(connection: &ConnectionReport) -> String {
    let interest = u8::from(connection.reading) + 4 * u8::from(connection.writing);
    let ConnectionReport { queued, received, sent, .. } = connection;
    let peer = Address(connection.peer);
    format!(" {peer}[{interest:x}](queued={queued},recved={received},sent={sent}")
}

fn add_session(text: &mut String, connection: &ConnectionReport, now: Now) -> std::fmt::Result {
    let established = connection.established.duration_since(std::time::UNIX_EPOCH);
    let established = established.unwrap_or_default().as_millis();
    let last = connection.last;
    let operation = last.map_or("NA", |last| last.operation);
    write!(text, ",sid={},lop={operation},est={established}", connection.session)?;
    write!(text, ",to={}", connection.timeout.0)?;
    if let Some(xid) = last.and_then(|last| last.xid) {
        write!(text, ",lcxid=0x{:x}", xid.0)?;
    }
    let zxid = last.map_or(u64::MAX, |last| last.zxid.0);
    let at = last.map_or(0, |last| {
        let ago = now.instant.saturating_duration_since(last.at).as_millis() as u64;
        now.milliseconds.saturating_sub(ago)
    });
    let latency = last.map_or(0, |last| last.latency.as_millis());
    write!(text, ",lzxid=0x{zxid:x},lresp={at},llat={latency}")?;
    let [min, avg, max] = [connection.min_latency, connection.avg_latency, connection.max_latency]
        .map(|latency| latency.as_millis());
    write!(text, ",minlat={min},avglat={avg},maxlat={max}")
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use zooid_ids::{ConnectionId, Millis, Xid, Zxid};
    use zooid_transport::LastReply;

    use super::*;

    fn report(port: u16, session: i64) -> ConnectionReport {
        ConnectionReport {
            connection: ConnectionId(port.into()),
            peer: ([127, 0, 0, 1], port).into(),
            reading: false,
            writing: false,
            queued: 0,
            received: 1,
            sent: 0,
            established: UNIX_EPOCH + Duration::from_millis(1_795_567_151_975),
            session: SessionId(session),
            timeout: Millis(4000),
            last: None,
            min_latency: Duration::ZERO,
            avg_latency: Duration::ZERO,
            max_latency: Duration::ZERO,
        }
    }

    /// A client, one that does not read, and one that asks a word.
    pub(crate) fn reports() -> Vec<ConnectionReport> {
        let last = LastReply {
            operation: "ADDW",
            xid: Some(Xid(5)),
            zxid: Zxid(3),
            at: Instant::now(),
            latency: Duration::from_micros(6900),
        };
        vec![
            ConnectionReport {
                reading: true,
                received: 6,
                sent: 6,
                last: Some(last),
                avg_latency: Duration::from_millis(14),
                max_latency: Duration::from_millis(42),
                ..report(42044, 0x0100_001c_81c2_0000)
            },
            ConnectionReport {
                writing: true,
                queued: 2,
                received: 9,
                sent: 7,
                ..report(42050, 0x99)
            },
            report(42078, 0),
        ]
    }

    #[test]
    fn cons_says() {
        let reports = reports();
        let last = reports[0].last.unwrap().at;
        let now = Now { instant: last + Duration::from_millis(7), milliseconds: 1_868_420 };
        assert_eq!(
            cons(&reports, now),
            " /127.0.0.1:42044[1](queued=0,recved=6,sent=6,sid=0x100001c81c20000,lop=ADDW,\
             est=1795567151975,to=4000,lcxid=0x5,lzxid=0x3,lresp=1868413,llat=6,minlat=0,avglat=14,\
             maxlat=42)\n \
             /127.0.0.1:42050[4](queued=2,recved=9,sent=7,sid=0x99,lop=NA,est=1795567151975,to=4000,\
             lzxid=0xffffffffffffffff,lresp=0,llat=0,minlat=0,avglat=0,maxlat=0)\n \
             /127.0.0.1:42078[0](queued=0,recved=1,sent=0)\n\
             \n"
        );
        assert_eq!(cons(&[], now), "\n");
    }
}

//! Records come back from bytes, and bytes that are none are refused.

use proptest::collection::vec;
use proptest::prelude::*;
use zooid_model::EphemeralOwner;

use super::*;

const SESSION: SessionId = SessionId(0x0100_0000_0000_0007);

/// What ZooKeeper writes.
#[derive(Default)]
struct Out(Vec<u8>);

impl Out {
    fn int(&mut self, number: i32) -> &mut Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn long(&mut self, number: i64) -> &mut Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn buffer(&mut self, bytes: Option<&[u8]>) -> &mut Self {
        self.int(bytes.map_or(-1, |bytes| bytes.len() as i32));
        self.0.extend(bytes.unwrap_or_default());
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.buffer(Some(text.as_bytes()))
    }

    fn acl(&mut self, list: &[Acl]) -> &mut Self {
        self.int(list.len() as i32);
        for acl in list {
            self.int(acl.perms.bits()).text(&acl.id.scheme).text(&acl.id.id);
        }
        self
    }

    fn txn(&mut self, opcode: i32, txn: &Txn) -> &mut Self {
        match txn {
            Txn::CreateSession { timeout } => self.int(timeout.0 as i32),
            Txn::CloseSession { paths } => {
                self.int(paths.len() as i32);
                paths.iter().fold(self, |out, path| out.text(path))
            }
            Txn::Create(create) => self.create(opcode, create),
            Txn::Delete { path } => self.text(path),
            Txn::SetData { path, data, version } => {
                self.text(path).buffer(data.as_deref()).int(*version)
            }
            Txn::SetAcl { path, acl, version } => self.text(path).acl(acl).int(*version),
            Txn::Nothing if opcode == opcode::CHECK => self.text("/checked").int(3),
            Txn::Nothing => self.int(-101),
            Txn::Multi(parts) => {
                self.int(parts.len() as i32);
                parts.iter().fold(self, |out, (opcode, txn)| {
                    out.int(*opcode).buffer(Some(&Out::default().txn(*opcode, txn).0))
                })
            }
        }
    }

    fn create(&mut self, opcode: i32, create: &Create) -> &mut Self {
        let Create { path, data, acl, owner, parent_cversion, .. } = create;
        self.text(path).buffer(data.as_deref()).acl(acl);
        match (opcode, owner) {
            (opcode::CREATE_CONTAINER, _) => self.int(*parent_cversion),
            (opcode::CREATE_TTL, EphemeralOwner::Ttl(ttl)) => {
                self.int(*parent_cversion).long(ttl.0)
            }
            _ => {
                self.0.push(u8::from(*owner != EphemeralOwner::None));
                self.int(*parent_cversion)
            }
        }
    }
}

fn encode(record: &Record) -> Vec<u8> {
    let Record { header, txn, digest } = record;
    let mut out = Out::default();
    out.long(header.session.0).int(9).long(header.zxid.wire()).long(header.time.0);
    out.int(header.opcode).txn(header.opcode, txn);
    if let Some(digest) = digest {
        out.int(digest.version).long(digest.digest as i64);
    }
    out.0
}

fn path() -> impl Strategy<Value = String> {
    "(/[a-zü한]{1,5}){1,3}"
}

fn data() -> impl Strategy<Value = Option<Bytes>> {
    proptest::option::of(vec(any::<u8>(), 0..20).prop_map(Bytes::from))
}

fn acl() -> impl Strategy<Value = Vec<Acl>> {
    let entry = (any::<i32>(), "[a-z]{0,6}", "[a-z:]{0,9}").prop_map(|(perms, scheme, id)| Acl {
        perms: Perms::from_bits(perms),
        id: Identity::new(&scheme, &id),
    });
    vec(entry, 0..3)
}

fn create() -> impl Strategy<Value = (i32, Txn)> {
    let kind = prop_oneof![
        Just((opcode::CREATE, EphemeralOwner::None)),
        Just((opcode::CREATE, EphemeralOwner::Session(SESSION))),
        Just((opcode::CREATE2, EphemeralOwner::Session(SESSION))),
        Just((opcode::CREATE_CONTAINER, EphemeralOwner::Container)),
        (0..EphemeralOwner::TTL_MAX.0)
            .prop_map(|ttl| (opcode::CREATE_TTL, EphemeralOwner::Ttl(Millis(ttl)))),
    ];
    (kind, path(), data(), acl(), any::<i32>()).prop_map(
        |((opcode, owner), path, data, acl, parent_cversion)| {
            let plain = opcode == opcode::CREATE;
            (opcode, Txn::Create(Create { path, data, acl, owner, parent_cversion, plain }))
        },
    )
}

/// What stands alone and in a multi.
fn simple() -> impl Strategy<Value = (i32, Txn)> {
    let delete = prop_oneof![Just(opcode::DELETE), Just(opcode::DELETE_CONTAINER)];
    prop_oneof![
        create(),
        (delete, path()).prop_map(|(opcode, path)| (opcode, Txn::Delete { path })),
        (path(), data(), any::<i32>()).prop_map(|(path, data, version)| {
            (opcode::SET_DATA, Txn::SetData { path, data, version })
        }),
        (path(), acl(), any::<i32>()).prop_map(|(path, acl, version)| {
            (opcode::SET_ACL, Txn::SetAcl { path, acl, version })
        }),
        Just((opcode::CHECK, Txn::Nothing)),
    ]
}

fn txn() -> impl Strategy<Value = (i32, Txn)> {
    prop_oneof![
        simple(),
        vec(simple(), 0..4).prop_map(|parts| (opcode::MULTI, Txn::Multi(parts))),
        any::<i32>().prop_map(|timeout| {
            (opcode::CREATE_SESSION, Txn::CreateSession { timeout: Millis(timeout.into()) })
        }),
        vec(path(), 0..3).prop_map(|paths| (opcode::CLOSE_SESSION, Txn::CloseSession { paths })),
        (path(), data(), any::<i32>()).prop_map(|(path, data, version)| {
            (opcode::RECONFIG, Txn::SetData { path, data, version })
        }),
        Just((opcode::ERROR, Txn::Nothing)),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let digest =
        proptest::option::of(any::<u64>().prop_map(|digest| TreeDigest { version: 2, digest }));
    (txn(), 0..i64::MAX, any::<i64>(), digest).prop_map(|((opcode, txn), zxid, time, digest)| {
        let header =
            Header { session: SESSION, zxid: Zxid(zxid as u64), time: Millis(time), opcode };
        Record { header, txn, digest }
    })
}

proptest! {
    #[test]
    fn records_come_back(record in record()) {
        prop_assert_eq!(Record::decode(&encode(&record)).unwrap(), record);
    }

    #[test]
    fn a_cut_record_is_refused_or_lost_its_digest(record in record(), cut in 1..40_usize) {
        let bytes = encode(&record);
        let kept = bytes.len().saturating_sub(cut);
        if let Ok(read) = Record::decode(&bytes[..kept]) {
            let old = matches!(record.header.opcode, opcode::CREATE | opcode::CLOSE_SESSION);
            prop_assert!(old || (read.txn == record.txn && read.digest.is_none()));
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..200)) {
        let _refused_or_not = Record::decode(&bytes);
    }
}

fn header(opcode: i32) -> Header {
    Header { session: SESSION, zxid: Zxid(5), time: Millis(6), opcode }
}

#[test]
fn before_3_5_a_create_has_no_cversion() {
    let (owner, parent_cversion) = (EphemeralOwner::None, -1);
    let acl = Acl::open();
    let create = Create { path: "/a".into(), data: None, acl, owner, parent_cversion, plain: true };
    let record = Record { header: header(opcode::CREATE), txn: Txn::Create(create), digest: None };
    let bytes = encode(&record);
    assert_eq!(Record::decode(&bytes[..bytes.len() - 4]).unwrap(), record);
}

#[test]
fn before_3_6_a_session_ends_without_paths() {
    let txn = Txn::CloseSession { paths: Vec::new() };
    let bytes =
        encode(&Record { header: header(opcode::CLOSE_SESSION), txn: txn.clone(), digest: None });
    let read = Record::decode(&bytes[..bytes.len() - 4]).unwrap();
    assert_eq!((read.txn, read.digest), (txn.clone(), None));
    let mut with_digest = bytes[..bytes.len() - 4].to_vec();
    with_digest.extend([0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9]);
    let read = Record::decode(&with_digest).unwrap();
    assert_eq!((read.txn, read.digest), (txn, Some(TreeDigest { version: 2, digest: 9 })));
}

#[test]
fn a_refused_multi_does_nothing() {
    let parts =
        vec![(opcode::DELETE, Txn::Delete { path: "/a".into() }), (opcode::ERROR, Txn::Nothing)];
    let record = Record { header: header(opcode::MULTI), txn: Txn::Multi(parts), digest: None };
    assert_eq!(Record::decode(&encode(&record)).unwrap().txn, Txn::Nothing);
}

#[test]
fn unknown_types_are_said() {
    let mut bytes = encode(&Record { header: header(22), txn: Txn::Nothing, digest: None });
    assert!(matches!(Record::decode(&bytes), Err(Fault::Type(22))));
    bytes[12] = 0x80;
    assert!(matches!(Record::decode(&bytes), Err(Fault::Zxid(_))));
    let nested = vec![(opcode::MULTI, Txn::Multi(Vec::new()))];
    let record = Record { header: header(opcode::MULTI), txn: Txn::Multi(nested), digest: None };
    assert!(matches!(Record::decode(&encode(&record)), Err(Fault::Type(opcode::MULTI))));
}

use proptest::prelude::*;
use serde_json::json;
use tokio::io::{DuplexStream, duplex};

use super::super::inbound::Hands;
use super::super::plan::tests::plan;
use super::super::repeats::Repeats;
use super::*;

/// The SMSC's end of a line, the session on the other, and what it hands over.
struct Scene {
    smsc: DuplexStream,
    session: Arc<Session>,
    taken: Arc<Mutex<Vec<Came>>>,
    ran: tokio::task::JoinHandle<&'static str>,
    stop: CancellationToken,
}

fn scene(takes: Option<bool>) -> Scene {
    let (smsc, ours) = duplex(LARGEST * 4);
    let (session, runs) = Session::on(Box::new(ours), 1);
    let taken: Arc<Mutex<Vec<Came>>> = Arc::default();
    let kept = Arc::clone(&taken);
    let hands = takes.map(|takes| -> Hands {
        Arc::new(move |_, came| {
            kept.lock().unwrap().extend(came);
            Box::pin(std::future::ready(takes))
        })
    });
    let plan = Arc::new(plan(&json!({})).unwrap());
    let work = Inbound { plan, repeats: Arc::<Repeats>::default(), hands: Arc::new(Mutex::new(hands)) };
    let (stop, running) = (CancellationToken::new(), Arc::clone(&session));
    let token = stop.clone();
    let ran = tokio::spawn(async move { running.run(runs, &work, Duration::from_secs(3600), &token).await });
    Scene { smsc, session, taken, ran, stop }
}

impl Scene {
    async fn hears(&mut self) -> (Head, Vec<u8>) {
        let mut octets = [0; HEADER];
        self.smsc.read_exact(&mut octets).await.unwrap();
        let head = Head::read(octets);
        let mut body = vec![0; head.length as usize - HEADER];
        self.smsc.read_exact(&mut body).await.unwrap();
        (head, body)
    }

    async fn says(&mut self, id: u32, status: u32, sequence: u32, body: &[u8]) {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        self.smsc.write_all(&Head { length, id, status, sequence }.octets()).await.unwrap();
        self.smsc.write_all(body).await.unwrap();
    }

    fn asks(&self) -> tokio::task::JoinHandle<Answer> {
        let session = Arc::clone(&self.session);
        tokio::spawn(async move { session.ask(Pdu::EnquireLink).await })
    }
}

/// A text of one letter.
const TEXT: &[u8] = b"\0\x01\x01155\0\x01\x01123\0\0\0\0\0\0\0\0\0\0\x01a";

#[tokio::test]
async fn answers_find_their_requests_in_any_order() {
    let mut scene = scene(Some(true));
    let first = scene.asks();
    let (one, _) = scene.hears().await;
    let second = scene.asks();
    let (two, _) = scene.hears().await;
    assert_ne!(one.sequence, two.sequence);
    scene.says(id::SUBMIT_SM_RESP, 0, 9_999, b"nobody's\0").await;
    scene.says(id::SUBMIT_SM_RESP, 0x58, two.sequence, b"").await;
    scene.says(id::SUBMIT_SM_RESP, 0, one.sequence, b"an-id").await;
    assert_eq!(first.await.unwrap(), Answer::Status(0, Some("an-id".into())));
    assert_eq!(second.await.unwrap(), Answer::Status(0x58, None));
}

#[tokio::test]
async fn what_is_lost_is_told_from_what_never_left() {
    let mut scene = scene(Some(true));
    let asked = scene.asks();
    scene.hears().await;
    drop(scene.smsc);
    assert_eq!(asked.await.unwrap(), Answer::Lost("connection_broken"));
    assert_eq!(scene.ran.await.unwrap(), "connection_broken");
    assert_eq!(scene.session.ask(Pdu::EnquireLink).await, Answer::NotWritten);
}

#[tokio::test]
async fn what_nobody_takes_is_to_come_again_and_what_is_taken_is_answered_after() {
    for (takes, status) in [(None, status::TRY_AGAIN), (Some(false), status::TRY_AGAIN), (Some(true), status::OK)] {
        let mut scene = scene(takes);
        scene.says(id::DELIVER_SM, 0, 7, TEXT).await;
        let (head, body) = scene.hears().await;
        assert_eq!((head.id, head.status, head.sequence, body.len()), (0x8000_0005, status, 7, 1), "{takes:?}");
        let taken = scene.taken.lock().unwrap().clone();
        assert_eq!(taken.len(), usize::from(takes.is_some()));
        assert!(taken.iter().all(|came| matches!(came, Came::Text(text) if text.text == "a")), "{taken:?}");
    }
}

#[tokio::test]
async fn a_repeat_that_was_not_taken_has_the_same_id() {
    let mut scene = scene(Some(false));
    for sequence in [7, 8] {
        scene.says(id::DELIVER_SM, 0, sequence, TEXT).await;
        scene.hears().await;
    }
    let taken = scene.taken.lock().unwrap().clone();
    let [Came::Text(first), Came::Text(second)] = &taken[..] else { panic!("{taken:?}") };
    assert!(!first.carrier_sms_id.is_empty() && first.carrier_sms_id == second.carrier_sms_id);
}

#[tokio::test]
async fn nonsense_is_kept_and_the_line_goes_on() {
    let mut scene = scene(Some(true));
    scene.says(id::DELIVER_SM, 0, 1, b"cut").await;
    assert_eq!(scene.hears().await.0.status, status::NEVER);
    scene.says(0x77, 0, 2, b"what").await;
    let (nack, _) = scene.hears().await;
    assert_eq!((nack.id, nack.status), (id::GENERIC_NACK, status::UNKNOWN_COMMAND));
    scene.says(id::DELIVER_SM, 0, 3, &vec![b'x'; LARGEST * 2]).await;
    assert_eq!(scene.hears().await.0.status, status::INVALID_LENGTH);
    scene.says(id::ENQUIRE_LINK, 0, 4, b"").await;
    assert_eq!(scene.hears().await.0.id, 0x8000_0015, "it lives");
    let taken = scene.taken.lock().unwrap().clone();
    assert!(taken.len() == 3 && taken.iter().all(|came| came.name() == "unreadable"), "{taken:?}");

    scene.smsc.write_all(&Head { length: 3, id: 5, status: 0, sequence: 5 }.octets()).await.unwrap();
    assert_eq!(scene.ran.await.unwrap(), "not_smpp");
    assert_eq!(scene.taken.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn good_byes_are_answered_and_said() {
    let mut by_smsc = scene(Some(true));
    by_smsc.says(id::UNBIND, 0, 1, b"").await;
    assert_eq!(by_smsc.hears().await.0.id, 0x8000_0006);
    drop(by_smsc.smsc);
    assert_eq!(by_smsc.ran.await.unwrap(), "unbound_by_smsc");

    let mut by_us = scene(Some(true));
    let asked = by_us.asks();
    let (request, _) = by_us.hears().await;
    by_us.stop.cancel();
    by_us.says(id::SUBMIT_SM_RESP, 0, request.sequence, b"late\0").await;
    assert_eq!(asked.await.unwrap(), Answer::Status(0, Some("late".into())), "what is under way is awaited");
    let (unbind, _) = by_us.hears().await;
    assert_eq!(unbind.id, id::UNBIND);
    by_us.says(0x8000_0006, 0, unbind.sequence, b"").await;
    assert_eq!(by_us.ran.await.unwrap(), "unbound");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_octets_end_or_are_passed_over(octets in proptest::collection::vec(any::<u8>(), 0..2000), head in 0_u32..40, known: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let why = runtime.block_on(async {
            let mut scene = scene(Some(true));
            if known {
                scene.says(head, 0, 1, &octets).await;
            } else {
                scene.smsc.write_all(&octets).await.unwrap();
            }
            let Scene { mut smsc, ran, .. } = scene;
            smsc.shutdown().await.unwrap();
            timeout(Duration::from_secs(10), ran).await.expect("it ends").unwrap()
        });
        prop_assert!(["connection_broken", "not_smpp", "unbound_by_smsc"].contains(&why), "{}", why);
    }
}

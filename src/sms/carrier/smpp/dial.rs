//! To an SMSC and bound: TCP, TLS where it is asked for, then the bind and its answer, each within its time.

use std::sync::Arc;
use std::time::Duration;

use rusmpp_core::CommandStatus;
use rusmpp_core::pdus::owned::{BindReceiver, BindTransceiver, BindTransmitter, Pdu};
use rusmpp_core::types::owned::COctetString;
use rusmpp_core::values::{InterfaceVersion, Npi, Ton};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::pdu::{self, HEADER, Head, LARGEST, id};
use super::plan::{Plan, Tls};
use super::status;

/// How long connecting may take, and TLS beside it.
const CONNECTS: Duration = Duration::from_secs(5);
/// How long the SMSC may take to answer a bind.
const BINDS: Duration = Duration::from_secs(10);

/// A line in both directions.
pub trait Line: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

/// What a bind is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Texts out alone.
    Transmitter,
    /// Texts and receipts in alone.
    Receiver,
    /// Both.
    Transceiver,
}

impl Way {
    /// Texts go out by it.
    #[must_use]
    pub fn sends(self) -> bool {
        self != Self::Receiver
    }
}

/// Why there is no bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotBound {
    /// Nobody there, or not now. A stable word or the SMSC's.
    Away(String),
    /// The SMSC refuses us. Its word.
    Refused(String),
}

fn away(why: &str) -> NotBound {
    NotBound::Away(why.to_owned())
}

/// Connects and binds.
///
/// # Errors
/// Why not.
pub async fn dial(plan: &Plan, way: Way) -> Result<Box<dyn Line>, NotBound> {
    let mut line = timeout(CONNECTS, connect(plan)).await.map_err(|_| away("connect_time_out"))??;
    timeout(BINDS, bind(&mut line, plan, way)).await.map_err(|_| away("bind_time_out"))??;
    Ok(line)
}

async fn connect(plan: &Plan) -> Result<Box<dyn Line>, NotBound> {
    let tcp = TcpStream::connect((plan.host.as_str(), plan.port)).await.map_err(|_| away("no_connection"))?;
    let _ = tcp.set_nodelay(true);
    let Some(ca) = &plan.tls else { return Ok(Box::new(tcp)) };
    let name = ServerName::try_from(plan.host.clone()).map_err(|_| away("bad_host_name"))?;
    let connector = TlsConnector::from(Arc::new(tls(ca)?));
    match connector.connect(name, tcp).await {
        Ok(line) => Ok(Box::new(line)),
        Err(error) => {
            tracing::warn!(carrier = %plan.carrier, %error, "TLS to the SMSC failed");
            Err(away("tls_failed"))
        }
    }
}

/// Roots: those given, else the machine's.
fn tls(ca: &Tls) -> Result<ClientConfig, NotBound> {
    let mut roots = RootCertStore::empty();
    match ca {
        Tls::Given(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|_| away("ca_file_unreadable"))?;
                roots.add(certificate).map_err(|_| away("ca_file_unreadable"))?;
            }
        }
        Tls::Machine => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    }
    if roots.is_empty() {
        return Err(away("no_root_certificates"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| away("tls_failed"))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

async fn bind(line: &mut Box<dyn Line>, plan: &Plan, way: Way) -> Result<(), NotBound> {
    let request = pdu::frame(CommandStatus::EsmeRok, 1, request(plan, way));
    line.write_all(&request).await.map_err(|_| away("connection_broken"))?;
    line.flush().await.map_err(|_| away("connection_broken"))?;
    loop {
        let mut octets = [0; HEADER];
        line.read_exact(&mut octets).await.map_err(|_| away("connection_broken"))?;
        let head = Head::read(octets);
        let length = usize::try_from(head.length).unwrap_or(usize::MAX);
        if !(HEADER..=LARGEST).contains(&length) {
            return Err(away("not_smpp"));
        }
        let mut body = vec![0; length - HEADER];
        line.read_exact(&mut body).await.map_err(|_| away("connection_broken"))?;
        // an outbind or the like may come first
        if !head.is_answer() {
            continue;
        }
        let word = status::word(head.status);
        return match status::meaning(head.status) {
            status::Meaning::Taken if head.id != id::GENERIC_NACK => Ok(()),
            status::Meaning::Account => Err(NotBound::Refused(word)),
            _ => Err(NotBound::Away(word)),
        };
    }
}

fn request(plan: &Plan, way: Way) -> Pdu {
    // checked when the plan was made
    let password = COctetString::from_string(plan.password.expose_secret().to_owned()).unwrap_or_default();
    let (system_id, system_type) = (plan.system_id.clone(), plan.system_type.clone());
    let (version, ton, npi) = (InterfaceVersion::Smpp3_4, Ton::Unknown, Npi::Unknown);
    let range = COctetString::null();
    match way {
        Way::Transmitter => BindTransmitter::new(system_id, password, system_type, version, ton, npi, range).into(),
        Way::Receiver => BindReceiver::new(system_id, password, system_type, version, ton, npi, range).into(),
        Way::Transceiver => BindTransceiver::new(system_id, password, system_type, version, ton, npi, range).into(),
    }
}

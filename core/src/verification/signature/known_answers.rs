//! Self-test vectors: an algorithm goes to the host only if it answers these correctly.
//!
//! The private keys were made for this file and deleted. Each algorithm has its own vector, because a host
//! may lack a single hash or a single curve.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::keys::{Algorithm, AlgorithmSet, Candidates, Key, KeySet, Origin};

const MESSAGE: &[u8] = b"portcullis";
const OTHER_MESSAGE: &[u8] = b"Portcullis";

/// The algorithms for which `verify` accepts the good signature, and refuses it over another message and
/// with one bit changed. A host that accepts everything passes none.
pub(super) fn passed(
    verify: impl Fn(Algorithm, &Key, &[u8], &[u8]) -> Option<bool>,
) -> AlgorithmSet {
    let Ok((keys, _)) = KeySet::parse(KEYS.as_bytes(), Origin::Inline) else {
        return AlgorithmSet::EMPTY;
    };
    SIGNATURES
        .into_iter()
        .filter(|(algorithm, encoded)| {
            let Candidates::Keys(mut trials) = keys.candidates(*algorithm, None) else {
                return false;
            };
            let (Some(key), Ok(good)) = (trials.next(), URL_SAFE_NO_PAD.decode(encoded)) else {
                return false;
            };
            let mut tampered = good.clone();
            if let Some(last) = tampered.last_mut() {
                *last ^= 1;
            }
            verify(*algorithm, key, MESSAGE, &good) == Some(true)
                && verify(*algorithm, key, OTHER_MESSAGE, &good) == Some(false)
                && verify(*algorithm, key, MESSAGE, &tampered) == Some(false)
        })
        .map(|(algorithm, _)| algorithm)
        .collect()
}

const KEYS: &str = r#"{"keys":[
{"kty":"RSA","n":"tTG9nqqbea2Z9sOyzf12QHLTk0UAyMtxM6qBIJ71JXxriB5HXO_5Fj0Fh_P-XkGKu8ly9z5WgULg6YWrAtEgfZ5znRK5HJIH_ZBVnjFAP9u2u40tHW_UC79R4p2jSVWLrYwMzLHT0uUSGnQfiJtiEJZKPyFKGVy2NZ0Y6rmUHn1SQHgkJp8ac7-ytOUtszWrG4KUIJ4DwUVg01pxz5tjvDaNDkeIxOL68mO5pR921SxPFeo-wdgaW2PgFBXKBB4y40Cz93OdAAlsDvcl9F55USplOLYP2yyN_ti8xmh8I0sV6Qe4rj9y4sZlow4M1Uog9QFpCsnvLpP4zedxdUROyw","e":"AQAB"},
{"kty":"EC","crv":"P-256","x":"Wvtm4hFlSvzSDofUPX_QAyfcMW_b8lw9Ycb6e1SIHNE","y":"_T1YMt6mQWbVDwkIJiLmwHLQq9GURyO7QPvckoYppiA"},
{"kty":"EC","crv":"P-384","x":"aqnJ6PuVhyyPar3VlY1sQsR749Df0ucdBILwA3aUncLY0_f3vS6lQf8J7goqWDDt","y":"ufu4_ZxWYeKm9kP6ECovZbulkqm2DNmuLD96uDq7rGFXEYhmJym9jH4nI_wY5KXT"},
{"kty":"EC","crv":"P-521","x":"ADZO4dDG-h6iytUnN9x1nfyLMTpjT42sWFkaZ6J8W8JbBnGNtHxK-ihCq06wSelwMERCy6G4JtR5Y-HRfX2VK-US","y":"ASsSGs0VaG5UdMIjq8TP8DNVRcnQwgBlOS9xOuExhlf2_usUlS2E_e5JKvDx5TXHXrCugt4M8pWWim5efo68QXSs"}
]}"#;

const SIGNATURES: [(Algorithm, &str); 6] = [
    (
        Algorithm::Rs256,
        "bYpDUD8gLrQ1NUGd76iV9p4gMDWS-I020EOhaWGtuPIskFA1hqyFbvtwGgzPV4YoO8OruZV9co-JyoT\
         I-fINipgNIcmrpdC1zDwQm1Wotx34mZlrJ8cH8PT523sXvKmbGSauTGbmAoaxzMLP1QbY-vi9Zzb9dw\
         M3sONV5bwMwx5zdaKtVNTNJUE6C25PHQLadESfnbgOIPEZ6fuyKTxr-m2UCEAilreY3VrtjfZ4kz-Ye\
         0Kpni4daiIssXyUcZX2PKhDlLWQcjQbdXR7f8IC0Tu7apFjWl-9-pTbIc5mvhOgk76EILHAo67X4mww\
         6MYkBCrPYGkjYmZYHBh_mbFgsA",
    ),
    (
        Algorithm::Rs384,
        "oV6SJO4v04R6Y2Hf2SNBebL7k0GLRo7TwS_gq4E8BKHIpk5Ura9s0F-gYEGqiYzAcOSgF2c1BWHf5Jg\
         QAPFw5QuNpYpz2CeDSSJwB-Ebr2dDC5yWSECC4RrlgiwsE3lRhFiF1IsMEa-gg9UTcv2fVT3VTYbem5\
         wTDicpMJvunQEMkp4XkzjadE52Qt0VJ6kiXDJYR-E-93AyxJzDqOcOlKXpBat_brY4pHfLYBhG7dwLV\
         HBtpvXyHmvKl72jT1GBV9gDNw9A4UJ8M7KIW4YB0-CBQEtCn4J8jo1QV5P1TdPfYCWc98Pt7U3CvjW_\
         ejHC2so4IvHS4a_Nln7q-xi18g",
    ),
    (
        Algorithm::Rs512,
        "i2DiTAUqqU622u937NKfbL3Dj-wnKHLK_9Rjh7oXe9-7Z04CVYCklO2J1LCD5FfPQUUCgS-vSpFJR5E\
         zlAvzbjVUvqWlzPE48w7r8jlIRnBdr_o8ge1CY3W6ihqO7NgjDz5us7DQPMEaUC-cSsyO-xtWzltbE6\
         KEGKp7Jh2XgX8RGo3uP_yEX_LU36orZIweRXSQgiUMfUKRTwu69r5ZUsECqLhtol-hHjg4bdcsixs-h\
         HBxBSRG9G69Oeipxlzg8r46frhLPVlQPFoWPPUzSTx83KLThvahHrwdDLlZGhA8XFSNN1zxPDwDhfpe\
         ZRYpf-BKQiTuX5utJ7UVnPAlRQ",
    ),
    (
        Algorithm::Es256,
        "85PJKdc3nTJ12nlE0tG9MwO5zNQ7-sLpKGMdAPvvwsfxRuNsYtFZi6NyXz7cwN2SDEJZmPUx_afZWx9\
         DMRUzqA",
    ),
    (
        Algorithm::Es384,
        "jc0fesoHWy42y65UrZRtPvbu7DgNE0XOrTRjHolkuDGf5hgjZNbzmvgMGEg8MW73XLlk-ZIeJN84VM7\
         HFVNevZhikwTcJAGOh_0Kpu0D0wBrjwQYryPyPpGsCw-FGUqC",
    ),
    (
        Algorithm::Es512,
        "ATor4PzqSXxqcCPhJoi8DCqJQ3C2lExOWFnLjGZTDMbROrkklnJjFBAhKY7C9fwH_rxm7HyHQib7lv2\
         7HFAIriL_Afd_5ENZ2cLuS-tdcRagVIV60kwDVYGlL45x5zYfZmyYChBd91-Mz5NeuK0KC3B5UM0shU\
         fPpBik8a7GNLL9Tcfk",
    ),
];

//! The examples of the standards themselves.

use portcullis_core::keys::Algorithm;

use super::vector::{Vector, decode};

pub fn vectors() -> Vec<Vector> {
    [
        rfc_7515_appendix_a_1_hs256(),
        rfc_7515_appendix_a_2_rs256(),
        rfc_7515_appendix_a_3_es256(),
        rfc_7515_appendix_a_4_es512(),
        rfc_8037_appendix_a_4_eddsa(),
        a_high_s_is_a_signature_too(),
        an_ed25519_signature_with_a_nonce_of_zero_is_none(),
    ]
    .concat()
}

const EC_P256: &str = r#"{"kty": "EC", "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

fn rfc_7515_appendix_a_1_hs256() -> Vec<Vector> {
    let vector = Vector::from_compact(
        "RFC 7515 A.1",
        r#"{"kty": "oct",
            "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9\
         .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
         .dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        true,
    );
    with_faults(vector)
}

fn rfc_7515_appendix_a_2_rs256() -> Vec<Vector> {
    let vector = Vector::from_compact(
        "RFC 7515 A.2",
        r#"{"kty": "RSA", "e": "AQAB",
            "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#,
        "eyJhbGciOiJSUzI1NiJ9\
         .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
         .cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        true,
    );
    with_faults(vector)
}

fn rfc_7515_appendix_a_3_es256() -> Vec<Vector> {
    let vector = Vector::from_compact(
        "RFC 7515 A.3",
        EC_P256,
        "eyJhbGciOiJFUzI1NiJ9\
         .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
         .DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        true,
    );
    with_faults(vector)
}

fn rfc_7515_appendix_a_4_es512() -> Vec<Vector> {
    let vector = Vector::from_compact(
        "RFC 7515 A.4",
        r#"{"kty": "EC", "crv": "P-521",
            "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
            "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}"#,
        "eyJhbGciOiJFUzUxMiJ9\
         .UGF5bG9hZA\
         .AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
        true,
    );
    with_faults(vector)
}

fn rfc_8037_appendix_a_4_eddsa() -> Vec<Vector> {
    let vector = Vector::from_compact(
        "RFC 8037 A.4",
        r#"{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        "eyJhbGciOiJFZERTQSJ9\
         .RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc\
         .hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        true,
    );
    with_faults(vector)
}

/// RFC 7518 §3.4: S is any integer of the group, so n - S is as good as S.
fn a_high_s_is_a_signature_too() -> Vec<Vector> {
    let low = Vector::from_compact(
        "RFC 7515 A.3",
        EC_P256,
        "eyJhbGciOiJFUzI1NiJ9\
         .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
         .DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        true,
    );
    const N: [u8; 32] = *b"\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\
                           \xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
    let mut signature = low.signature.clone();
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i32::from(N[at]) - i32::from(low.signature[32 + at]) - borrow;
        borrow = i32::from(difference < 0);
        signature[32 + at] = difference.rem_euclid(256) as u8;
    }
    vec![
        Vector {
            name: "n - s".to_owned(),
            jwk: low.jwk.clone(),
            algorithm: Algorithm::Es256,
            message: low.message.clone(),
            signature,
            valid: true,
        },
        low,
    ]
}

/// R is the neutral element: the equation of RFC 8032 §5.1.7 holds, and whoever sees it can
/// compute the secret scalar from S. No honest signer makes one.
fn an_ed25519_signature_with_a_nonce_of_zero_is_none() -> Vec<Vector> {
    vec![Vector {
        name: "R of low order".to_owned(),
        jwk: r#"{"kty": "OKP", "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#
            .to_owned(),
        algorithm: Algorithm::EdDsa,
        message: b"a nonce of zero".to_vec(),
        signature: decode(
            "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABcjbYCxfMkaoLJXdH0vRXZNfdNm9UUbJRxdS9k3AIbBg",
        ),
        valid: false,
    }]
}

fn with_faults(vector: Vector) -> Vec<Vector> {
    let mut all = vector.tampered();
    all.push(vector);
    all
}

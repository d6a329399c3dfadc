//! Who does what during a soak: clients that ask, an operator who updates the configuration, an authority and an issuer
//! that rotate, revoke and fail, and a saboteur who lets VMs trap.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_testing::http2;
use serde_json::json;

use crate::authority::{Authority, CLIENTS, GATEWAY, basic};
use crate::client::{Connection, End};
use crate::credential::{self, Credential, Pools};
use crate::gateway::{self, Gateway, Ports};
use crate::harness::client::{Answer, get};
use crate::harness::envoy::Envoy;
use crate::harness::keys::{Key, fresh_api_key};
use crate::harness::{PATIENCE, poll};
use crate::history::{Moment, Trouble, lock, now, turn};
use crate::issuer::{FAULTS, Issuer};
use crate::oracle::{Oracle, Right, Span};
use crate::policy::{InlineKeys, PEPPER, Policies, REVOKED_AT_AUTHORITY};
use crate::random::Random;
use crate::report::{Report, Tally};
use crate::requests::{Plan, Requests};
use crate::upstream::{self, UnderWay, Upstream};

const CLIENT_THREADS: u64 = 10;

/// At the end nothing changes any more, and all that fails has to be well again.
const CALM: Duration = Duration::from_secs(9);

/// A connection is used again for so long.
const KEPT: Duration = Duration::from_secs(5);

pub struct Soak {
    seed: u64,
    oracle: Arc<Oracle>,
    upstream: Arc<Upstream>,
    issuer: Arc<Issuer>,
    authority: Mutex<Authority>,
    gateway: Gateway,
    policies: Arc<Policies>,
    pools: Arc<Pools>,
    newest: Arc<AtomicU64>,
    requests: Requests,
    tally: Tally,
    /// Ends the changes.
    calm: AtomicBool,
    /// Ends everything.
    over: AtomicBool,
}

/// Ends the soak where its thread panics: the others would go on to the end.
struct Alarm<'s>(&'s Soak);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.calm.store(true, Ordering::SeqCst);
            self.0.over.store(true, Ordering::SeqCst);
        }
    }
}

impl Soak {
    pub fn start(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let oracle = Arc::new(Oracle::default());
        let upstream = Upstream::start(Arc::clone(&oracle));
        let issuer = Issuer::start(&mut random);
        let folder = Envoy::folder();
        let authority = Authority::start(folder, &mut random);
        let inline = InlineKeys {
            plain: fresh_api_key(),
            hmac: fresh_api_key(),
            expired: fresh_api_key(),
            early: fresh_api_key(),
            revoked: fresh_api_key(),
        };
        let policies = Arc::new(Policies::new(Key::new("ES256", "always"), inline));
        let pools = Arc::new(Pools::default());
        let newest = Arc::new(AtomicU64::new(0));
        let ports = Ports {
            upstream: upstream.port,
            authority: authority.port,
            idp: issuer.port(),
        };
        let environment = json!({
            "API_KEY_PEPPER": PEPPER,
            "INTROSPECTION_SECRET": authority.secret(),
            "LIST_AUTHORIZATION": basic(GATEWAY, authority.secret()),
        });
        oracle.configuration_begins(0);
        let gateway = Gateway::start(&ports, &environment, &policies.good(0));
        oracle.configuration_taken(0);
        let requests = Requests {
            issuer: Arc::clone(&issuer),
            policies: Arc::clone(&policies),
            pools: Arc::clone(&pools),
            newest: Arc::clone(&newest),
        };
        let soak = Self {
            seed,
            oracle,
            upstream,
            issuer,
            authority: Mutex::new(authority),
            gateway,
            policies,
            pools,
            newest,
            requests,
            tally: Tally::default(),
            calm: AtomicBool::new(false),
            over: AtomicBool::new(false),
        };
        soak.fill_pools(&mut random);
        soak.await_readiness();
        soak
    }

    /// Some of every kind, so that clients have something to begin with.
    fn fill_pools(&self, random: &mut Random) {
        let authority = lock(&self.authority);
        self.pools.know_kids(&authority);
        for client in CLIENTS {
            self.mint(&authority, client.id, random);
        }
        for number in 0..3 {
            let key = self.pools.mint_api_key(&authority, number);
            self.pools.api_keys.add(key, random);
        }
        for _ in 0..5 {
            self.pools
                .corp
                .add(credential::corp(&self.issuer, random), random);
            self.pools
                .always
                .add(credential::always(&self.policies, random), random);
        }
    }

    fn mint(&self, authority: &Authority, client: &str, random: &mut Random) {
        let client = CLIENTS
            .into_iter()
            .find(|it| it.id == client)
            .expect("a client");
        let token = self.pools.mint(authority, client);
        let pool = if client.is_opaque {
            &self.pools.opaque
        } else {
            &self.pools.authority
        };
        pool.add(token, random);
    }

    /// Until the keys and lists of all providers are there.
    fn await_readiness(&self) {
        let all = [
            &self.pools.authority,
            &self.pools.corp,
            &self.pools.api_keys,
        ];
        for credential in all.map(|pool| pool.all()[0].clone()) {
            let request = match credential.place {
                credential::Place::Bearer => get("/data").bearer(&credential.value),
                credential::Place::ApiKey => get("/data").header("x-api-key", &credential.value),
            };
            let plan_id = u64::MAX;
            let mut last = None;
            let ready = poll(PATIENCE, || {
                let request = request.clone().header(upstream::ID, plan_id.to_string());
                self.upstream.expect(plan_id, self.readiness(&credential));
                last = request.send(self.gateway.port).ok();
                last.as_ref().filter(|it| it.status == 200).map(|_| ())
            });
            self.upstream.forget(plan_id);
            assert!(
                ready.is_some(),
                "{}: {last:?}\n{}",
                credential.kind,
                self.gateway.log_tail()
            );
        }
    }

    fn readiness(&self, credential: &Credential) -> UnderWay {
        UnderWay {
            what: "is it ready?".to_owned(),
            expectation: crate::oracle::Expectation {
                conditions: Vec::new(),
                identity: credential.identity(),
                challenge: crate::harness::refusal::Challenge::Bearer,
                limit: PATIENCE,
            },
            from: now(),
            bound: (now(), None),
        }
    }

    pub fn run(self, length: Duration) -> Report {
        let start = Instant::now();
        let mut memory = Vec::new();
        let at_start = self.gateway.memory()[0];
        thread::scope(|scope| {
            let actor = |act: fn(&Self, &mut Random), stream: u64| {
                let soak = &self;
                scope.spawn(move || {
                    let _alarm = Alarm(soak);
                    act(soak, &mut Random::stream(soak.seed, stream));
                });
            };
            for stream in 0..CLIENT_THREADS {
                actor(Self::be_client, stream);
            }
            actor(Self::be_operator, 101);
            actor(Self::be_authority, 102);
            actor(Self::be_issuer, 103);
            actor(Self::be_saboteur, 104);
            actor(Self::be_minter, 105);
            actor(Self::be_heart, 106);
            while start.elapsed() < length && !self.is_over() {
                thread::sleep(Duration::from_millis(500));
                memory.push((start.elapsed(), self.gateway.memory()[0]));
                self.issuer.forget_calls();
                self.upstream.forget_older_than(Duration::from_secs(40));
                if start.elapsed() + CALM >= length {
                    self.calm.store(true, Ordering::SeqCst);
                }
            }
            self.calm.store(true, Ordering::SeqCst);
            self.over.store(true, Ordering::SeqCst);
        });
        // Streams in a VM that was lost end by the idle timeout.
        let left_hanging = gateway::settle(&self.gateway, Duration::from_secs(30));
        Report::new(
            &self.seed,
            length,
            self.tally,
            &self.oracle,
            &self.gateway,
            at_start,
            memory,
            left_hanging,
        )
    }

    fn is_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Sleeps for so long, or until nothing is to change any more: whether to go on.
    fn pause(&self, pause: Duration) -> bool {
        let start = Instant::now();
        while start.elapsed() < pause && !self.is_calm() {
            thread::sleep(Duration::from_millis(20).min(pause));
        }
        !self.is_calm()
    }

    // === clients ===

    fn be_client(&self, random: &mut Random) {
        let mut kept: Option<Connection> = None;
        while !self.is_over() {
            let plan = self.requests.draw(random);
            if plan.over_http2 {
                self.ask_over_http2(&plan);
                continue;
            }
            let usable = kept
                .take()
                .filter(|it| it.opened + KEPT > now() && random.percent(80));
            let mut connection = match usable {
                Some(connection) if !connection.is_over() => connection,
                _ => Connection::open(self.gateway.port).expect("Envoy listens"),
            };
            let is_reusable = self.ask(&plan, &mut connection);
            match is_reusable {
                Some(true) => kept = Some(connection),
                Some(false) => {}
                None => connection.leave(),
            }
            thread::sleep(random.millis(0, 25));
        }
    }

    /// Sends a request and judges what becomes of it. Whether the connection may carry another; `None` where the client leaves.
    fn ask(&self, plan: &Plan, connection: &mut Connection) -> Option<bool> {
        let bound = (connection.opened, connection.answered);
        let from = self.begin(plan, bound);
        let end = connection.send(&plan.message, plan.leaves);
        let answer = self.end(plan, from, bound, end)?;
        Some(answer.is_some_and(|answer| connection.is_open_after(&answer)))
    }

    /// The same on a connection of its own.
    fn ask_over_http2(&self, plan: &Plan) {
        self.tally.event("request over HTTP/2");
        let bound = (now(), None);
        let from = self.begin(plan, bound);
        let end = match http2::send(&plan.message.to_http2(), self.gateway.port) {
            Ok(answer) => End::Answered(answer),
            Err(error) => End::Broken(error),
        };
        self.end(plan, from, bound, end);
    }

    /// Tells the upstream what comes.
    fn begin(&self, plan: &Plan, bound: (Moment, Option<Moment>)) -> Moment {
        self.tally.secrets(&plan.message);
        let from = now();
        let request = UnderWay {
            what: plan.kind.clone(),
            expectation: plan.expectation.clone(),
            from,
            bound,
        };
        self.upstream.expect(plan.id, request);
        from
    }

    /// `None` where the client left; the answer where there is one.
    fn end(
        &self,
        plan: &Plan,
        from: Moment,
        (opened, answered): (Moment, Option<Moment>),
        end: End,
    ) -> Option<Option<Answer>> {
        let to = now();
        let bound = (opened, answered.unwrap_or(to));
        let span = Span { from, to, bound };
        match end {
            End::Left => {
                // The upstream may still get it.
                self.tally.count(&plan.kind, "the client left");
                None
            }
            End::Broken(error) => {
                self.report(plan, span, &format!("no answer: {error}"), None);
                self.tally.count(&plan.kind, "WRONG");
                self.upstream.forget(plan.id);
                Some(None)
            }
            End::Answered(answer) => {
                self.judge(plan, span, &answer);
                self.upstream.forget(plan.id);
                Some(Some(answer))
            }
        }
    }

    fn judge(&self, plan: &Plan, span: Span, answer: &Answer) {
        let mut verdict = self.check(plan, span, answer);
        if verdict.is_err() {
            // That the machine stood still may not have been written down yet.
            thread::sleep(Duration::from_millis(500));
            verdict = self.check(plan, span, answer);
        }
        match verdict {
            Ok(right) => {
                let outcome = &right.outcome;
                if answer.status >= 500 {
                    let cause = self.oracle.cause(&plan.expectation, span, outcome);
                    self.tally.failure(outcome, cause);
                }
                self.tally
                    .right(&plan.kind, &right, span.to.saturating_sub(span.from));
            }
            Err(why) => {
                self.report(plan, span, &why, Some(answer));
                self.tally.count(&plan.kind, "WRONG");
            }
        }
    }

    fn check(&self, plan: &Plan, span: Span, answer: &Answer) -> Result<Right, String> {
        let verdict = self.oracle.judge(&plan.expectation, span, answer)?;
        let limit = self.oracle.limit(&plan.expectation, span) + plan.own_time;
        let took = span.to.saturating_sub(span.from);
        if took > limit {
            return Err(format!("it took {took:?}, more than {limit:?}"));
        }
        if answer.header("x-echo").is_some() {
            let body = &plan.message.body;
            let wanted = json!({ "bytes": body.len(), "sum": upstream::sum(body) });
            let found = answer.json()?;
            if found != wanted {
                return Err(format!("of the body {found} arrived instead of {wanted}"));
            }
        }
        Ok(verdict)
    }

    fn report(&self, plan: &Plan, span: Span, why: &str, answer: Option<&Answer>) {
        let explanation = self.oracle.explain(&plan.expectation, span);
        let answer = answer.map(|it| format!("{it:?}")).unwrap_or_default();
        self.oracle.report(format!(
            "{}: {why}\n  {explanation}\n--- request\n{}\n--- answer\n{answer}",
            plan.kind,
            plan.message.summary(),
        ));
    }

    // === those who change something ===

    /// Updates the configuration, now and then by one that must not be taken.
    fn be_operator(&self, random: &mut Random) {
        let mut number = 0;
        while self.pause(random.millis(2000, 9000)) {
            if random.percent(30) {
                let (fault, policy) = self.policies.bad(number, random);
                let is_taken = self.gateway.update(&policy, number);
                assert!(!is_taken, "Envoy took a configuration with {fault}");
                self.tally.event("update refused");
            } else {
                number += 1;
                self.oracle.configuration_begins(number);
                let is_taken = self.gateway.update(&self.policies.good(number), number);
                assert!(
                    is_taken,
                    "Envoy refused a good configuration:\n{}",
                    self.gateway.log_tail()
                );
                self.oracle.configuration_taken(number);
                self.newest.store(number, Ordering::SeqCst);
                self.tally.event("update taken");
            }
        }
    }

    /// Rotates keys, revokes, and is killed.
    fn be_authority(&self, random: &mut Random) {
        let mut machines = 100;
        let (mut until_kill, mut is_first) = (random.between(4, 8), true);
        while self.pause(random.millis(500, 3500)) {
            let mut authority = lock(&self.authority);
            match random.below(10) {
                0 => self.rotate(&authority, random),
                1..4 => {
                    let (entry, facts) = self.pools.revocation(random);
                    turn(&facts, true, REVOKED_AT_AUTHORITY, || {
                        authority.revoke(&entry)
                    });
                    self.tally.event("revocation by subject or client");
                }
                4..6 => self.revoke_token(&authority, random),
                6 => {
                    machines += 1;
                    let key = self.pools.mint_api_key(&authority, machines);
                    self.pools.api_keys.add(key, random);
                    self.tally.event("API key minted");
                }
                7 => {
                    let old = self.pools.api_keys.pick(random);
                    if !old.revoked.latest() && !old.ended.latest() {
                        let fresh = self.pools.rotate_api_key(&authority, &old);
                        self.pools.api_keys.add(fresh, random);
                        self.tally.event("API key rotated");
                    }
                }
                _ => {
                    let key = self.pools.api_keys.pick(random);
                    let id = key.key_id.as_deref().expect("an id");
                    if !key.revoked.latest() {
                        turn(
                            &[Arc::clone(&key.revoked)],
                            true,
                            REVOKED_AT_AUTHORITY,
                            || authority.revoke_key(id),
                        );
                        self.tally.event("API key revoked");
                    }
                }
            }
            until_kill -= 1;
            if until_kill == 0 {
                until_kill = random.between(8, 20);
                // The first time, and now and then, for longer than lists are believed.
                let away = match is_first || random.percent(20) {
                    true => random.millis(9000, 11_000),
                    false => random.millis(100, 4000),
                };
                is_first = false;
                self.kill(&mut authority, away);
            }
        }
    }

    fn rotate(&self, authority: &Authority, random: &mut Random) {
        let trouble = self.oracle.troubles.begin(Trouble::AuthorityRotates);
        let drop_old = random.percent(40);
        self.pools.rotate_authority(authority, drop_old);
        self.oracle.troubles.end(trouble);
        self.tally.event(if drop_old {
            "authority's keys replaced"
        } else {
            "authority's keys rotated"
        });
    }

    /// RFC 7009.
    fn revoke_token(&self, authority: &Authority, random: &mut Random) {
        let pool = if random.percent(50) {
            &self.pools.authority
        } else {
            &self.pools.opaque
        };
        let token = pool.pick(random);
        let client = token.client.as_deref().expect("a client");
        turn(
            &[Arc::clone(&token.revoked)],
            true,
            REVOKED_AT_AUTHORITY,
            || {
                authority.revoke_token(client, &token.value);
            },
        );
        self.tally.event("token revoked");
    }

    fn kill(&self, authority: &mut Authority, away: Duration) {
        let trouble = self.oracle.troubles.begin(Trouble::AuthorityDown);
        authority.kill();
        self.pause(away);
        self.oracle.troubles.repair(trouble);
        authority.revive();
        self.oracle.troubles.end(trouble);
        self.tally.event(if away > Duration::from_secs(8) {
            "authority killed for long"
        } else {
            "authority killed"
        });
    }

    fn be_issuer(&self, random: &mut Random) {
        let mut is_first = true;
        while self.pause(random.millis(500, 3500)) {
            match random.below(13) {
                0 | 12 => {
                    let drop_old = random.percent(60);
                    self.issuer.rotate(drop_old);
                    self.tally.event(if drop_old {
                        "issuer's keys replaced"
                    } else {
                        "issuer's keys rotated"
                    });
                }
                1 => {
                    self.issuer.swap();
                    self.tally.event("another key under an old kid");
                }
                2..6 => self.revoke_at_issuer(random),
                6..8 => {
                    self.issuer.grow(2000, random);
                    self.tally.event("list grown by 2000");
                }
                8 => {
                    self.issuer.reset();
                    self.tally.event("list reset");
                }
                9 | 10 => {
                    let token = self.pools.always.pick(random);
                    credential::deactivate(&self.issuer, &token);
                    self.pools
                        .always
                        .add(credential::always(&self.policies, random), random);
                    self.tally.event("token deactivated");
                }
                _ => {
                    let is_long = is_first || random.percent(15);
                    is_first = false;
                    self.fail(is_long, random);
                }
            }
        }
    }

    fn fail(&self, is_long: bool, random: &mut Random) {
        let trouble = self.oracle.troubles.begin(Trouble::IssuerFails);
        self.issuer.fail(Some(*random.pick(&FAULTS)));
        self.pause(match is_long {
            true => random.millis(9000, 11_000),
            false => random.millis(500, 3000),
        });
        self.oracle.troubles.repair(trouble);
        self.issuer.fail(None);
        self.oracle.troubles.end(trouble);
        self.tally.event(match is_long {
            true => "issuer failed for long",
            false => "issuer failed",
        });
    }

    fn revoke_at_issuer(&self, random: &mut Random) {
        let token = self.pools.corp.pick(random);
        let subject = token.subject.clone().expect("a subject");
        let is_by_token = random.percent(50);
        // All that the subject has been given until then. Tokens that clients make just now are none of the facts: they are younger.
        let before = crate::harness::now() - 3;
        let (entry, facts) = match is_by_token {
            true => {
                let jti = token.jti.clone().expect("a jti");
                (
                    json!({ "jti": jti, "exp": crate::harness::now() + 3600 }),
                    vec![Arc::clone(&token.revoked)],
                )
            }
            false => {
                let entry = json!({ "sub": subject, "before": before });
                let all = self.pools.corp.all().into_iter();
                let of_subject = all.filter(|it| {
                    it.subject.as_ref() == Some(&subject) && it.iat <= before.unsigned_abs()
                });
                (
                    entry,
                    of_subject.map(|it| Arc::clone(&it.revoked)).collect(),
                )
            }
        };
        self.issuer.revoke(entry, &facts);
        self.tally.event("revocation at the issuer");
    }

    /// Lets VMs trap.
    fn be_saboteur(&self, random: &mut Random) {
        while self.pause(random.millis(7000, 16_000)) {
            for _ in 0..random.between(1, 2) {
                let trouble = self.oracle.troubles.begin(Trouble::Trap);
                let answer = self.gateway.trap();
                self.oracle.troubles.repair(trouble);
                self.oracle.troubles.end(trouble);
                let is_bare = answer.status == 503 && answer.json().is_err();
                assert!(is_bare, "a trap is a bare 503: {answer:?}");
                self.tally.event("trap");
            }
        }
    }

    /// Keeps the pools fresh.
    fn be_minter(&self, random: &mut Random) {
        while self.pause(random.millis(50, 300)) {
            {
                let authority = lock(&self.authority);
                let client = random.pick(&CLIENTS).id;
                self.mint(&authority, client, random);
            }
            self.pools
                .always
                .add(credential::always(&self.policies, random), random);
            let pools = [
                &self.pools.authority,
                &self.pools.opaque,
                &self.pools.corp,
                &self.pools.always,
                &self.pools.api_keys,
            ];
            random.pick(&pools).clear_spent(&self.oracle.troubles);
        }
    }

    /// Notices when nothing ran.
    fn be_heart(&self, _: &mut Random) {
        const BEAT: Duration = Duration::from_millis(20);
        const STALL: Duration = Duration::from_millis(250);
        let mut last: Moment = now();
        while !self.is_over() {
            thread::sleep(BEAT);
            let this = now();
            if this.saturating_sub(last) > STALL {
                self.oracle.troubles.add(Trouble::Stall, last, this);
            }
            last = this;
        }
    }
}

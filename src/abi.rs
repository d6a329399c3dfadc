//! The callbacks that Envoy enters the module by.
//!
//! Only those that Portcullis uses are exported: Envoy enters the VM for each exported callback
//! on every phase and every body chunk, and an SDK that exports them all costs each request
//! microseconds for nothing. It also hands a callout's answer to the stream that asked, and
//! drops it where that stream is gone, which would leave the others who wait for it waiting.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::host;
use crate::root::{Action, Root};

#[derive(Default)]
struct Contexts {
    roots: BTreeMap<u32, Rc<Root>>,
    /// The root of each stream whose headers have not come; nobody asks for it after them. Mostly
    /// one: Envoy brings a stream's headers as soon as it has created its context. But in between
    /// it goes on with those that were resumed, and they may meet this module as another filter.
    awaiting_headers: Vec<(u32, Rc<Root>)>,
    /// The root of each stream whose headers were not its end: trailers may follow.
    awaiting_trailers: BTreeMap<u32, Rc<Root>>,
}

thread_local! {
    // Wasm has one thread; several configurations may live in it as roots of their own.
    static CONTEXTS: RefCell<Contexts> = RefCell::default();
}

fn root(id: u32) -> Option<Rc<Root>> {
    CONTEXTS.with_borrow(|contexts| contexts.roots.get(&id).map(Rc::clone))
}

fn root_of_stream(id: u32) -> Option<Rc<Root>> {
    CONTEXTS.with_borrow_mut(|contexts| {
        let awaiting = &mut contexts.awaiting_headers;
        let at = awaiting.iter().rposition(|(stream, _)| *stream == id)?;
        Some(awaiting.swap_remove(at).1)
    })
}

unsafe extern "C" {
    fn __wasm_call_ctors();
}

// SAFETY (of every export below): the names are the host's, and no other crate here has them.

#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: the host calls this once, before anything else.
    unsafe { __wasm_call_ctors() };
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(len: usize) -> *mut u8 {
    host::allocate(len)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
    CONTEXTS.with_borrow_mut(|contexts| {
        if parent == 0 {
            contexts.roots.insert(context, Rc::new(Root::new(context)));
        } else if let Some(root) = contexts.roots.get(&parent) {
            let root = Rc::clone(root);
            contexts.awaiting_headers.push((context, root));
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_context: u32, _configuration_len: usize) -> u32 {
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(context: u32, _configuration_len: usize) -> u32 {
    root(context).is_some_and(|root| root.configure()).into()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(context: u32) {
    if let Some(root) = root(context) {
        root.tick();
    }
}

/// A paused request is held as a whole, its body and trailers too. Were it `StopIteration` (1),
/// then with Envoy's `allow_on_headers_stop_iteration` the body's callback would be asked next,
/// and a module that exports none lets the request go on by that, unjudged.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _headers: u32, end_of_stream: u32) -> u32 {
    const CONTINUE: u32 = 0;
    const STOP_ALL_ITERATION_AND_WATERMARK: u32 = 4;
    let action = match root_of_stream(context) {
        Some(root) => {
            if end_of_stream == 0 {
                let root = Rc::clone(&root);
                CONTEXTS.with_borrow_mut(|c| c.awaiting_trailers.insert(context, root));
            }
            root.request(context)
        }
        None => refuse_unannounced(),
    };
    match action {
        Action::Continue => CONTINUE,
        Action::Pause => STOP_ALL_ITERATION_AND_WATERMARK,
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context: u32, _trailers: u32) -> u32 {
    const CONTINUE: u32 = 0;
    const STOP_ITERATION: u32 = 1;
    let root = CONTEXTS.with_borrow(|c| c.awaiting_trailers.get(&context).map(Rc::clone));
    let action = match root {
        Some(root) => root.trailers(context),
        None => refuse_unannounced(),
    };
    match action {
        Action::Continue => CONTINUE,
        Action::Pause => STOP_ITERATION,
    }
}

/// The host announces every stream, and its headers before its trailers; one that it did not is
/// not let in.
fn refuse_unannounced() -> Action {
    let _ = host::send_local_response(500, "portcullis_unannounced_stream", &[], &[], None);
    Action::Pause
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    context: u32,
    token: u32,
    headers: u32,
    _body_len: usize,
    _trailers: u32,
) {
    if let Some(root) = root(context) {
        root.answer(token, headers > 0);
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    CONTEXTS.with_borrow_mut(|contexts| {
        contexts.roots.remove(&context);
        contexts.awaiting_trailers.remove(&context);
        contexts
            .awaiting_headers
            .retain(|(stream, _)| *stream != context);
        for root in contexts.roots.values() {
            root.forget(context);
        }
    });
}

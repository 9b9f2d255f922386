//! A store in memory that counts what is done to it, and breaks when and how it is told.
//!
//! An *effect* is a call that changes something at the store: beginning an upload, sending a part,
//! completing, aborting, putting a whole object, deleting one. Reads are no effects. Effects are
//! numbered from 1; [`FaultyStore::break_at`] names the one that goes wrong, and how:
//!
//! ```text
//! store.break_at(3, Break::HangAfter);      // the third effect happens, its answer never comes
//! select! { _ = run => .., () = store.hanging() => {} }   // the run is dropped there: a crash
//! store.mend();                             // the next run finds a sound store
//! ```
//!
//! A [`Habit`] is a defect that lasts. What was ever visible is in [`FaultyStore::history`]; which
//! uploads were left open in [`FaultyStore::open_uploads`]. Clones share one store.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use nestegg::destination::Destination;
use nestegg::destination::DestinationTuning;
use nestegg::model::sidecar::Sidecar;
use object_store::CopyOptions;
use object_store::Error;
use object_store::GetOptions;
use object_store::GetResult;
use object_store::ListResult;
use object_store::MultipartId;
use object_store::MultipartUpload;
use object_store::ObjectMeta;
use object_store::ObjectStore;
use object_store::ObjectStoreExt as _;
use object_store::PutMultipartOptions;
use object_store::PutOptions;
use object_store::PutPayload;
use object_store::PutResult;
use object_store::Result;
use object_store::UploadPart;
use object_store::memory::InMemory;
use object_store::multipart::MultipartStore;
use object_store::multipart::PartId;
use object_store::path::Path;
use tokio::sync::watch;

/// How one effect goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// It does not happen, and the store says so.
    Fail,
    /// It happens, and the store says that it did not.
    FailAfter,
    /// It does not happen, and no answer comes.
    HangBefore,
    /// It happens, and no answer comes.
    HangAfter,
}

impl Break {
    /// All of them, for loops.
    pub(crate) const ALL: [Self; 4] = [
        Self::Fail,
        Self::FailAfter,
        Self::HangBefore,
        Self::HangAfter,
    ];

    /// Whether the caller never hears of it again, so that the run has to be dropped.
    pub(crate) const fn hangs(self) -> bool {
        match self {
            Self::HangBefore | Self::HangAfter => true,
            Self::Fail | Self::FailAfter => false,
        }
    }
}

/// A defect that lasts until [`FaultyStore::mend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// None.
    Sound,
    /// Completing an upload works and is answered by "no such upload", as when the crate repeats
    /// a request whose first answer was lost.
    CompleteSaysNotFound,
    /// Completing an upload fails and stores nothing.
    CompleteFails,
    /// Aborting an upload fails; it stays open.
    AbortFails,
    /// Whatever becomes visible lacks its last byte.
    StoresShort,
    /// Whatever sidecar becomes visible is replaced at once by one that says the same in a text of
    /// another length, as by another run.
    Overtaken,
    /// Every effect is refused: the key is bad.
    RefusesCredentials,
    /// Every effect is refused: the disk is full.
    NoSpace,
    /// Sending a part of this or a higher number (from 1) fails, and so does all that follows.
    DiesFromPart(usize),
    /// Deleting an archive is refused: it is retained. A sidecar can be deleted.
    RetainsArchives,
    /// Every effect but aborting takes for ever.
    Hangs,
}

/// How reading one object goes wrong, until [`FaultyStore::mend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// The store is in trouble with it.
    Broken,
    /// The key is bad.
    Credentials,
}

/// What an effect does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Begins a multipart upload.
    Begin,
    /// Sends the part of this number, from 1.
    Part(usize),
    /// Makes a multipart upload visible.
    Complete,
    /// Gives a multipart upload up.
    Abort,
    /// Stores a whole object.
    Put,
    /// Deletes an object.
    Delete,
}

/// One effect, and what was visible right after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effect {
    /// What it was.
    pub(crate) action: Action,
    /// On which key.
    pub(crate) key: String,
    /// Everything visible afterwards, by key.
    pub(crate) visible: BTreeMap<String, Bytes>,
}

#[derive(Debug)]
struct State {
    count: u64,
    planned: Option<(u64, Break)>,
    broke: Option<(Action, Break)>,
    habit: Habit,
    unreadable: BTreeMap<String, Unreadable>,
    dead: bool,
    open: BTreeMap<MultipartId, String>,
    with_parts: BTreeSet<MultipartId>,
    aborted: Vec<MultipartId>,
    history: Vec<Effect>,
    parts_now: usize,
    parts_at_most: usize,
}

/// The store; see the module.
#[derive(Debug, Clone)]
pub(crate) struct FaultyStore {
    memory: Arc<InMemory>,
    state: Arc<Mutex<State>>,
    hanging: watch::Sender<u64>,
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

/// What the store is told to do about one effect.
enum Verdict {
    Go(Option<Break>),
    Refuse(Error),
    Hang,
}

impl FaultyStore {
    /// An empty, sound store.
    pub(crate) fn new() -> Self {
        Self {
            memory: Arc::new(InMemory::new()),
            state: Arc::new(Mutex::new(State {
                count: 0,
                planned: None,
                broke: None,
                habit: Habit::Sound,
                unreadable: BTreeMap::new(),
                dead: false,
                open: BTreeMap::new(),
                with_parts: BTreeSet::new(),
                aborted: Vec::new(),
                history: Vec::new(),
                parts_now: 0,
                parts_at_most: 0,
            })),
            hanging: watch::Sender::new(0),
        }
    }

    /// An empty store with a defect.
    pub(crate) fn with(habit: Habit) -> Self {
        let store = Self::new();
        store.state().habit = habit;
        store
    }

    /// Breaks the effect of this number, counted from now on from 1.
    pub(crate) fn break_at(&self, number: u64, how: Break) {
        let mut state = self.state();
        state.planned = Some((state.count + number, how));
        state.broke = None;
    }

    /// The effect that went wrong as planned by [`Self::break_at`], once it did.
    pub(crate) fn broke(&self) -> Option<(Action, Break)> {
        self.state().broke
    }

    /// Gives the store a defect that lasts.
    pub(crate) fn take_habit(&self, habit: Habit) {
        self.state().habit = habit;
    }

    /// Lets no read of this object come through, nor of what is known of it.
    pub(crate) fn break_reads_of(&self, key: &str, how: Unreadable) {
        self.state().unreadable.insert(key.to_owned(), how);
    }

    /// From now on nothing goes wrong; what is stored, open and recorded stays.
    pub(crate) fn mend(&self) {
        let mut state = self.state();
        state.planned = None;
        state.habit = Habit::Sound;
        state.unreadable.clear();
        state.dead = false;
        self.hanging.send_replace(0);
    }

    /// How many effects there were.
    pub(crate) fn effects(&self) -> u64 {
        self.state().count
    }

    /// Every effect that happened, in order.
    pub(crate) fn history(&self) -> Vec<Effect> {
        self.state().history.clone()
    }

    /// The actions that happened, in order.
    pub(crate) fn actions(&self) -> Vec<Action> {
        let state = self.state();
        state.history.iter().map(|effect| effect.action).collect()
    }

    /// The uploads that are neither completed nor aborted: id and key.
    pub(crate) fn open_uploads(&self) -> BTreeMap<MultipartId, String> {
        self.state().open.clone()
    }

    /// Those of them that hold parts, which a store is paid for.
    pub(crate) fn paid_for(&self) -> BTreeMap<MultipartId, String> {
        let state = self.state();
        let open = state.open.clone().into_iter();
        open.filter(|(id, _key)| state.with_parts.contains(id))
            .collect()
    }

    /// Aborts all open uploads, as a rule on the bucket's life cycle does in the end.
    pub(crate) fn expire_uploads(&self) {
        self.state().open.clear();
    }

    /// The uploads that were aborted, in order.
    pub(crate) fn aborted(&self) -> Vec<MultipartId> {
        self.state().aborted.clone()
    }

    /// How many parts were ever on the way at once.
    pub(crate) fn parts_at_most(&self) -> usize {
        self.state().parts_at_most
    }

    /// Everything visible now, by key.
    pub(crate) fn visible(&self) -> BTreeMap<String, Bytes> {
        let listed = self.memory.list(None).collect::<Vec<_>>();
        let listed = listed.now_or_never().expect("memory answers at once");
        listed
            .into_iter()
            .map(|meta| {
                let key = meta.expect("memory can be listed").location;
                let bytes = async { self.memory.get(&key).await?.bytes().await };
                let bytes = bytes.now_or_never().expect("memory answers at once");
                (key.to_string(), bytes.expect("it was just listed"))
            })
            .collect()
    }

    /// Puts an object there without counting it.
    pub(crate) fn plant(&self, key: &str, bytes: impl Into<Bytes>) {
        let path = Path::parse(key).expect("a key");
        let put = self.memory.put(&path, PutPayload::from(bytes.into()));
        put.now_or_never()
            .expect("memory answers at once")
            .expect("memory takes everything");
    }

    /// Resolves once an effect hangs.
    pub(crate) async fn hanging(&self) {
        let mut hanging = self.hanging.subscribe();
        hanging
            .wait_for(|hung| *hung > 0)
            .await
            .expect("the store outlives its watcher");
    }

    /// A destination over this store whose uploads have ids, as on S3.
    pub(crate) fn destination(&self, name: &str, tuning: DestinationTuning) -> Destination {
        let multipart = Arc::new(self.clone()) as Arc<dyn MultipartStore>;
        self.over(name, Some(multipart), tuning)
    }

    /// A destination over this store whose uploads have no ids, as on Azure.
    pub(crate) fn destination_without_ids(
        &self,
        name: &str,
        tuning: DestinationTuning,
    ) -> Destination {
        self.over(name, None, tuning)
    }

    fn over(
        &self,
        name: &str,
        multipart: Option<Arc<dyn MultipartStore>>,
        tuning: DestinationTuning,
    ) -> Destination {
        Destination::over(
            name.parse().expect("a name"),
            format!("memory://{name}"),
            Arc::new(self.clone()),
            multipart,
            tuning,
        )
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it looks")
    }

    /// Counts an effect and decides its fate.
    fn judge(&self, action: Action, key: &Path) -> Verdict {
        let mut state = self.state();
        state.count += 1;
        let planned = state
            .planned
            .filter(|(number, _how)| *number == state.count)
            .map(|(_number, how)| how);
        if let Some(how) = planned {
            state.broke = Some((action, how));
        }
        if let (Habit::DiesFromPart(first), Action::Part(number)) = (state.habit, action)
            && number >= first
        {
            state.dead = true;
        }
        let refused = match (state.habit, action) {
            _ if state.dead => Some(broken("the store has died")),
            (Habit::RefusesCredentials, _) => Some(bad_key()),
            (Habit::RetainsArchives, Action::Delete) if !is_sidecar(key) => {
                Some(Error::PermissionDenied {
                    path: key.to_string(),
                    source: "Server returned non-2xx status code: 403 Forbidden: <Error><Code>AccessDenied</Code>\
                             <Message>Access Denied because object protected by object lock.</Message></Error>"
                        .into(),
                })
            }
            (Habit::NoSpace, _) => Some(Error::Generic {
                store: "FaultyStore",
                source: Box::new(io::Error::from(io::ErrorKind::StorageFull)),
            }),
            (Habit::CompleteFails, Action::Complete) => Some(broken("complete failed")),
            (Habit::AbortFails, Action::Abort) => Some(broken("abort failed")),
            _ => None,
        };
        match refused {
            Some(error) => Verdict::Refuse(error),
            None if state.habit == Habit::Hangs && action != Action::Abort => Verdict::Hang,
            None => Verdict::Go(planned),
        }
    }

    async fn hang<T>(&self) -> T {
        self.hanging.send_modify(|hung| *hung += 1);
        std::future::pending().await
    }

    async fn effect<T>(
        &self,
        action: Action,
        key: &Path,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let how = match self.judge(action, key) {
            Verdict::Go(how) => how,
            Verdict::Refuse(error) => return Err(error),
            Verdict::Hang => return self.hang().await,
        };
        match how {
            Some(Break::Fail) => return Err(broken("this effect was to fail")),
            Some(Break::HangBefore) => return self.hang().await,
            Some(Break::FailAfter | Break::HangAfter) | None => {}
        }
        let done = work.await?;
        let visible = self.visible();
        self.state().history.push(Effect {
            action,
            key: key.to_string(),
            visible,
        });
        match how {
            Some(Break::FailAfter) => Err(broken("this answer was to be lost")),
            Some(Break::HangAfter) => self.hang().await,
            Some(Break::Fail | Break::HangBefore) | None => Ok(done),
        }
    }

    /// Replaces what was just stored, if that is the habit.
    async fn replace(&self, key: &Path) -> Result<()> {
        let habit = self.state().habit;
        if !matches!(habit, Habit::StoresShort | Habit::Overtaken) {
            return Ok(());
        }
        let stored = self.memory.get(key).await?;
        let attributes = stored.attributes.clone();
        let mut bytes = stored.bytes().await?.to_vec();
        if habit == Habit::StoresShort {
            bytes.pop();
        } else if let Ok(mut sidecar) = Sidecar::from_json(&bytes) {
            sidecar.written_by.push_str(" of another run");
            bytes = sidecar.to_json().expect("it was just read");
        }
        let options = PutOptions {
            attributes,
            ..PutOptions::default()
        };
        self.memory.put_opts(key, bytes.into(), options).await?;
        Ok(())
    }

    fn not_open(&self, id: &MultipartId) -> Option<Error> {
        (!self.state().open.contains_key(id)).then(|| no_such_upload(id))
    }
}

fn is_sidecar(key: &Path) -> bool {
    key.extension() == Some("json")
}

fn broken(why: &str) -> Error {
    Error::Generic {
        store: "FaultyStore",
        source: why.to_owned().into(),
    }
}

fn bad_key() -> Error {
    Error::PermissionDenied {
        path: String::new(),
        source: "InvalidAccessKeyId".into(),
    }
}

fn no_such_upload(id: &str) -> Error {
    Error::NotFound {
        path: String::new(),
        source: format!("NoSuchUpload: {id}").into(),
    }
}

/// Counts a part as on the way until it is dropped.
struct OnTheWay<'a>(&'a FaultyStore);

impl<'a> OnTheWay<'a> {
    fn begin(store: &'a FaultyStore) -> Self {
        let mut state = store.state();
        state.parts_now += 1;
        state.parts_at_most = state.parts_at_most.max(state.parts_now);
        drop(state);
        Self(store)
    }
}

impl Drop for OnTheWay<'_> {
    fn drop(&mut self) {
        self.0.state().parts_now -= 1;
    }
}

#[async_trait]
impl MultipartStore for FaultyStore {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.create_multipart_opts(path, PutMultipartOptions::default())
            .await
    }

    async fn create_multipart_opts(
        &self,
        path: &Path,
        opts: PutMultipartOptions,
    ) -> Result<MultipartId> {
        self.effect(Action::Begin, path, async {
            let id = self.memory.create_multipart_opts(path, opts).await?;
            self.state().open.insert(id.clone(), path.to_string());
            Ok(id)
        })
        .await
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        part_idx: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        let _on_the_way = OnTheWay::begin(self);
        self.effect(Action::Part(part_idx + 1), path, async {
            if let Some(error) = self.not_open(id) {
                return Err(error);
            }
            // Lets other parts be on the way at the same time.
            tokio::task::yield_now().await;
            let sent = self.memory.put_part(path, id, part_idx, data).await?;
            self.state().with_parts.insert(id.clone());
            Ok(sent)
        })
        .await
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        let done = self
            .effect(Action::Complete, path, async {
                if let Some(error) = self.not_open(id) {
                    return Err(error);
                }
                let done = self.memory.complete_multipart(path, id, parts).await?;
                self.state().open.remove(id);
                self.replace(path).await?;
                Ok(done)
            })
            .await?;
        let habit = self.state().habit;
        if habit == Habit::CompleteSaysNotFound {
            return Err(no_such_upload(id));
        }
        Ok(done)
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        self.effect(Action::Abort, path, async {
            if let Some(error) = self.not_open(id) {
                return Err(error);
            }
            self.memory.abort_multipart(path, id).await?;
            let mut state = self.state();
            state.open.remove(id);
            state.aborted.push(id.clone());
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        self.effect(Action::Put, location, async {
            let done = self.memory.put_opts(location, payload, opts).await?;
            self.replace(location).await?;
            Ok(done)
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let id = self.create_multipart_opts(location, opts).await?;
        Ok(Box::new(UploadWithoutId {
            store: self.clone(),
            location: location.clone(),
            id,
            parts: 0,
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let unreadable = self.state().unreadable.get(location.as_ref()).copied();
        match unreadable {
            Some(Unreadable::Broken) => return Err(broken("this object can't be read")),
            Some(Unreadable::Credentials) => return Err(bad_key()),
            None => {}
        }
        self.memory.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .then(move |location| {
                let store = store.clone();
                async move {
                    let location = location?;
                    let delete = store.memory.delete(&location);
                    store.effect(Action::Delete, &location, delete).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.memory.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.memory.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let copy = self.memory.copy_opts(from, to, options);
        self.effect(Action::Put, to, copy).await
    }
}

/// An upload that is only known to its owner; dropping it leaves it open, as on S3.
#[derive(Debug)]
struct UploadWithoutId {
    store: FaultyStore,
    location: Path,
    id: MultipartId,
    parts: usize,
}

#[async_trait]
impl MultipartUpload for UploadWithoutId {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let index = self.parts;
        self.parts += 1;
        let (store, location, id) = (self.store.clone(), self.location.clone(), self.id.clone());
        async move {
            store
                .put_part(&location, &id, index, data)
                .await
                .map(|_id| ())
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let parts = vec![
            PartId {
                content_id: String::new(),
            };
            self.parts
        ];
        self.store
            .complete_multipart(&self.location, &self.id, parts)
            .await
    }

    async fn abort(&mut self) -> Result<()> {
        self.store.abort_multipart(&self.location, &self.id).await
    }
}

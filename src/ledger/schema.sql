CREATE TABLE subscription (          -- every arrival exported
    list INTEGER NOT NULL,
    subscriber INTEGER NOT NULL,
    subscribed_at NOT NULL,          -- Unix seconds, or the text as received; never NULL
    batch INTEGER NOT NULL,
    PRIMARY KEY (list, subscriber, subscribed_at)
) WITHOUT ROWID;
CREATE TABLE pending (               -- unconfirmed subscribers, who may still confirm
    list INTEGER NOT NULL,
    subscriber INTEGER NOT NULL,
    subscribed_at INTEGER,           -- Unix seconds, no later than the true time; NULL if unknown
    checked INTEGER NOT NULL,        -- the run that last saw it
    resolved_by INTEGER,             -- the unfinished batch that exports it
    PRIMARY KEY (list, subscriber)
) WITHOUT ROWID;
CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    state TEXT NOT NULL,             -- open, ready, appending, published, void
    kind TEXT NOT NULL,              -- directory, file, stdout
    target TEXT NOT NULL,            -- absolute path of the published file; - for standard output
    stage TEXT NOT NULL,
    marker TEXT,
    mode INTEGER NOT NULL,
    format TEXT NOT NULL,
    columns TEXT NOT NULL,
    named_at INTEGER NOT NULL,       -- Unix seconds; the time in the name
    length INTEGER NOT NULL,         -- valid bytes of the stage file
    rows INTEGER NOT NULL,
    appended_at INTEGER,             -- offset in the growing file
    with_header INTEGER NOT NULL,
    published_at INTEGER
);
CREATE TABLE output (                -- outputs written to before
    path TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    length INTEGER,                  -- of a growing file after the last append
    tail TEXT,                       -- SHA-256 of its last 4,096 bytes
    shape TEXT                       -- format and columns of its rows
);
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    began_at INTEGER NOT NULL,
    ended_at INTEGER,                -- NULL: running, or killed
    exit_code INTEGER,
    rows INTEGER NOT NULL DEFAULT 0,
    requests INTEGER NOT NULL DEFAULT 0,
    refreshes INTEGER NOT NULL DEFAULT 0,
    message TEXT
);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);

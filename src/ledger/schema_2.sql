CREATE TABLE unsubscription (        -- every departure exported
    list INTEGER NOT NULL,
    subscriber INTEGER NOT NULL,
    unsubscribed_at NOT NULL,        -- Unix seconds, or the text as received; never NULL
    batch INTEGER NOT NULL,
    PRIMARY KEY (list, subscriber, unsubscribed_at)
) WITHOUT ROWID;
CREATE TABLE feed (                  -- progress of each feed of each list
    list INTEGER NOT NULL,
    kind TEXT NOT NULL,              -- arrivals, departures
    progress TEXT NOT NULL,          -- JSON; including the unfinished batch
    settled TEXT NOT NULL,           -- JSON; without it
    PRIMARY KEY (list, kind)
) WITHOUT ROWID;
CREATE TABLE batch_feed (            -- rows per feed
    batch INTEGER NOT NULL,
    list INTEGER NOT NULL,
    kind TEXT NOT NULL,              -- arrivals, departures
    rows INTEGER NOT NULL,
    PRIMARY KEY (batch, list, kind)
) WITHOUT ROWID;
CREATE TABLE version_1 (             -- lists whose departures version 1 exported, and recorded as arrivals
    list INTEGER PRIMARY KEY,
    last_batch INTEGER NOT NULL,     -- the last batch of version 1
    aweber_time INTEGER              -- the latest time known from AWeber's clock then, Unix seconds
);

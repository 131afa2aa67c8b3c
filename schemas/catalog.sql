-- The tables of catalog.duckdb. All of it is derived: it can be deleted and rebuilt from the files of the store.
CREATE TABLE corpora (
    corpus_id VARCHAR PRIMARY KEY,
    name      VARCHAR NOT NULL UNIQUE,
    source    VARCHAR NOT NULL,
    n_texts   BIGINT NOT NULL,
    n_words   BIGINT NOT NULL,
    n_pairs   BIGINT NOT NULL,
    n_edges   BIGINT NOT NULL
);

CREATE TABLE texts (
    text_id   BIGINT NOT NULL,
    corpus_id VARCHAR NOT NULL,
    split     VARCHAR,
    text      VARCHAR NOT NULL,
    language  VARCHAR
);

CREATE TABLE words (
    word_id    BIGINT NOT NULL,
    text_id    BIGINT NOT NULL,
    position   INTEGER NOT NULL,
    char_start INTEGER NOT NULL,
    char_end   INTEGER NOT NULL,
    form       VARCHAR NOT NULL,
    lemma      VARCHAR,
    pos        VARCHAR,
    sense      VARCHAR,
    gloss      VARCHAR,
    spans      INTEGER[][] NOT NULL
);

CREATE TABLE pairs (
    pair_id   BIGINT NOT NULL,
    corpus_id VARCHAR NOT NULL,
    split     VARCHAR,
    word_a    BIGINT NOT NULL,
    word_b    BIGINT NOT NULL,
    label     BOOLEAN,
    score     DOUBLE
);

-- word_a is the head; NULL where word_b hangs on no word: the root of a tree, a top of a graph.
CREATE TABLE edges (
    corpus_id VARCHAR NOT NULL,
    kind      VARCHAR NOT NULL,
    word_a    BIGINT,
    word_b    BIGINT NOT NULL,
    label     VARCHAR NOT NULL
);

CREATE TABLE runs (
    run_id      VARCHAR PRIMARY KEY,
    name        VARCHAR NOT NULL,
    origin      VARCHAR NOT NULL,
    model       VARCHAR NOT NULL,
    template    VARCHAR NOT NULL,
    reading     VARCHAR NOT NULL,
    pooling     VARCHAR NOT NULL,
    dtype       VARCHAR NOT NULL,
    corpus_id   VARCHAR NOT NULL,
    corpus      VARCHAR NOT NULL,
    n_words     BIGINT NOT NULL,
    n_layers    INTEGER NOT NULL,
    d_model     INTEGER NOT NULL,
    n_parts     INTEGER NOT NULL,
    n_committed INTEGER NOT NULL,
    n_vectors   BIGINT NOT NULL,
    n_skipped   BIGINT NOT NULL
);

CREATE TABLE parts (
    run_id        VARCHAR NOT NULL,
    part          INTEGER NOT NULL,
    file          VARCHAR,
    bytes         BIGINT NOT NULL,
    sha256        VARCHAR,
    first_word_id BIGINT,
    last_word_id  BIGINT,
    n_words       BIGINT NOT NULL,
    n_windowed    BIGINT NOT NULL,
    PRIMARY KEY (run_id, part)
);

CREATE TABLE skipped (
    run_id   VARCHAR NOT NULL,
    word_id  BIGINT NOT NULL,
    reason   VARCHAR NOT NULL,
    n_tokens INTEGER,
    rendered VARCHAR NOT NULL
);

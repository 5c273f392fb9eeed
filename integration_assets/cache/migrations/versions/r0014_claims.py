"""Claims handed over, their recalls with deliveries and transactions, receipts, messages and issues."""

from alembic import op

revision = "0014"
down_revision = "0013"

TABLES = """
CREATE TABLE claim (
    claim_id BIGINT NOT NULL,
    main_claim_id BIGINT NOT NULL,
    art TEXT NOT NULL,
    type_code TEXT NOT NULL,
    creditor_id BIGINT NOT NULL,
    creditor_ref TEXT NOT NULL,
    customer_number TEXT NOT NULL,
    period_from DATE,
    period_to DATE,
    amount NUMERIC(13, 2) NOT NULL,
    received_on DATE NOT NULL,
    state_refund BOOLEAN NOT NULL,
    taken_in_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    recalled_for TEXT,
    recalled_from DATE,
    recalled_amount NUMERIC(13, 2),
    recalled_on DATE,
    recalled_by BIGINT,
    CONSTRAINT pk_claim PRIMARY KEY (claim_id)
);
CREATE INDEX ix_claim_main_claim_id ON claim (main_claim_id);
CREATE INDEX ix_claim_open_customer_number ON claim (customer_number) WHERE recalled_for IS NULL;
CREATE TABLE claim_movement (
    reference TEXT NOT NULL,
    claim_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    amount NUMERIC(13, 2) NOT NULL,
    effective_on DATE NOT NULL,
    CONSTRAINT pk_claim_movement PRIMARY KEY (reference)
);
CREATE TABLE recall_action (
    action_id BIGINT NOT NULL,
    claim_id BIGINT NOT NULL,
    main_claim_id BIGINT NOT NULL,
    reason TEXT NOT NULL,
    reason_text TEXT,
    effective_from DATE,
    origin TEXT,
    why TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    state TEXT DEFAULT 'PROPOSED' NOT NULL,
    held_in TEXT,
    outcome TEXT DEFAULT 'NOT_SENT' NOT NULL,
    delivery_id BIGINT,
    sent_at TIMESTAMP WITH TIME ZONE,
    status_at TIMESTAMP WITH TIME ZONE,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    error_number INTEGER,
    note TEXT,
    CONSTRAINT pk_recall_action PRIMARY KEY (action_id)
);
CREATE INDEX ix_recall_action_approved ON recall_action (action_id) WHERE state = 'APPROVED';
CREATE INDEX ix_recall_action_awaited ON recall_action (sent_at) WHERE state IN ('SENT', 'MODTAGET', 'SAGSBEHANDL');
CREATE INDEX ix_recall_action_claim_id ON recall_action (claim_id);
CREATE INDEX ix_recall_action_open_main_claim_id ON recall_action (main_claim_id)
    WHERE state NOT IN ('UDFOERT', 'AFVIST', 'WITHDRAWN');
CREATE INDEX ix_recall_action_rejected ON recall_action (proposed_at) WHERE state = 'AFVIST';
CREATE INDEX ix_recall_action_unsettled ON recall_action (delivery_id)
    WHERE state IN ('SENT', 'RETRY_WAIT', 'HOLD', 'MANUAL', 'CHANNEL_STOPPED') AND delivery_id IS NOT NULL;
CREATE UNIQUE INDEX uq_recall_action_open ON recall_action (claim_id)
    WHERE state NOT IN ('UDFOERT', 'AFVIST', 'WITHDRAWN');
CREATE UNIQUE INDEX uq_recall_action_origin ON recall_action (claim_id, origin) WHERE origin IS NOT NULL;
CREATE TABLE recall_decision (
    decision_id BIGINT GENERATED ALWAYS AS IDENTITY,
    action_id BIGINT NOT NULL,
    decision TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    note TEXT,
    CONSTRAINT pk_recall_decision PRIMARY KEY (decision_id)
);
CREATE INDEX ix_recall_decision_action_id ON recall_decision (action_id);
CREATE TABLE recall_delivery (
    delivery_id BIGINT NOT NULL,
    transaction_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    tries INTEGER DEFAULT '0' NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE,
    made_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_recall_delivery PRIMARY KEY (delivery_id)
);
CREATE INDEX ix_recall_delivery_due ON recall_delivery (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE TABLE recall_transaction (
    transaction_id TEXT NOT NULL,
    delivery_id BIGINT NOT NULL,
    action_ids BIGINT[] NOT NULL,
    payload_hash TEXT NOT NULL,
    content TEXT NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    outcome TEXT DEFAULT 'UNKNOWN' NOT NULL,
    answered_at TIMESTAMP WITH TIME ZONE,
    error_numbers INTEGER[],
    CONSTRAINT pk_recall_transaction PRIMARY KEY (transaction_id)
);
CREATE INDEX ix_recall_transaction_delivery_id ON recall_transaction (delivery_id);
CREATE TABLE recall_receipt (
    action_id BIGINT NOT NULL,
    claim_id BIGINT NOT NULL,
    main_claim_id BIGINT NOT NULL,
    art TEXT NOT NULL,
    type_code TEXT NOT NULL,
    creditor_ref TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount NUMERIC(13, 2) NOT NULL,
    effective_from DATE,
    interest JSONB NOT NULL,
    debtors INTEGER NOT NULL,
    processed_on DATE NOT NULL,
    message_id TEXT NOT NULL,
    CONSTRAINT pk_recall_receipt PRIMARY KEY (action_id, claim_id)
);
CREATE TABLE claim_message (
    message_id TEXT NOT NULL,
    source TEXT NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    content BYTEA NOT NULL,
    CONSTRAINT pk_claim_message PRIMARY KEY (message_id)
);
CREATE INDEX ix_claim_message_received_at ON claim_message (received_at);
CREATE TABLE claim_issue (
    issue_id BIGINT GENERATED ALWAYS AS IDENTITY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    claim_id BIGINT,
    text TEXT NOT NULL,
    message_id TEXT,
    found_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    closed_by TEXT,
    CONSTRAINT pk_claim_issue PRIMARY KEY (issue_id)
);
CREATE UNIQUE INDEX uq_claim_issue_open ON claim_issue (kind, subject, text) WHERE closed_at IS NULL;
CREATE TABLE claim_channel (
    system TEXT NOT NULL,
    stopped_at TIMESTAMP WITH TIME ZONE,
    why TEXT,
    CONSTRAINT pk_claim_channel PRIMARY KEY (system)
);
"""


def upgrade() -> None:
    """Ten tables with their indexes."""
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)

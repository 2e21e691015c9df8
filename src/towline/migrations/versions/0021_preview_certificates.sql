CREATE TABLE preview_certificates (
    host TEXT NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_preview_certificates PRIMARY KEY (host)
);

CREATE INDEX ix_preview_certificates_asked_at ON preview_certificates (asked_at);

-- downgrade
UPDATE routes SET certificate = 'acme' WHERE certificate = 'wildcard';

DROP TABLE preview_certificates;

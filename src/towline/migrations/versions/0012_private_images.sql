CREATE TABLE private_images (
    digest TEXT NOT NULL,
    project_id TEXT NOT NULL,
    reference TEXT NOT NULL,
    pulled_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_private_images PRIMARY KEY (digest, project_id, reference)
);

-- downgrade
DROP TABLE private_images;

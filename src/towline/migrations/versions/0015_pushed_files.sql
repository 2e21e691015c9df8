ALTER TABLE hooks ADD COLUMN project_file TEXT DEFAULT '' NOT NULL;

-- downgrade
ALTER TABLE hooks DROP COLUMN project_file;

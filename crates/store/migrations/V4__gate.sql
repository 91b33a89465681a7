-- The gate: who judges the records of a Type, by which rules, and the signals that verdicts give.

-- A constant default and a column without one: neither rewrites the table.
ALTER TABLE record_types
    ADD COLUMN verdict_mode text NOT NULL DEFAULT 'principal',
    ADD COLUMN rules_config text,
    ADD CONSTRAINT verdict_mode_known
        CHECK (verdict_mode IN ('principal', 'auto', 'auto-then-principal')) NOT VALID,
    ADD CONSTRAINT rules_are_for_the_modes_that_use_them
        CHECK ((verdict_mode = 'principal') = (rules_config IS NULL)) NOT VALID,
    ADD CONSTRAINT rules_judge_completions
        CHECK (rules_config IS NULL OR completion_schema IS NOT NULL) NOT VALID;
ALTER TABLE record_types
    VALIDATE CONSTRAINT verdict_mode_known,
    VALIDATE CONSTRAINT rules_are_for_the_modes_that_use_them,
    VALIDATE CONSTRAINT rules_judge_completions;

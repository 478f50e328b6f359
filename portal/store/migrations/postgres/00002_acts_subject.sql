-- What was done to a request, a key or a team is asked for by its id.

-- +goose Up
CREATE INDEX acts_subject ON acts (subject, seq);

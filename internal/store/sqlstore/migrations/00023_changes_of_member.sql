-- +goose Up

-- Finds the changes about a member, as changes_actor finds those by a member.
CREATE INDEX changes_member ON changes (member_id, seq) WHERE member_id <> '';

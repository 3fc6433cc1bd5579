-- +goose Up

-- The id of the member who created the key, because names are not unique. Empty for keys
-- that no member created.
ALTER TABLE keys ADD COLUMN created_by_id IDTEXT NOT NULL DEFAULT '';
UPDATE keys SET created_by_id = c.actor_id
FROM changes c
WHERE c.key_id = keys.id AND c.kind = 'key.created' AND c.actor_kind = 'member';

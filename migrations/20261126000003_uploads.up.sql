-- Uploads of pictures: what a presigned request was given out for, and when a picture was last of use.

alter table images
    -- Who asked for the upload.
    add column admin_id bigint,
    -- Key of the original, in the bucket of uploads.
    add column upload_key text,
    -- What was announced of the original.
    add column size integer,
    add column sha256 bytea,
    -- Until when it may be uploaded.
    add column expires_at timestamptz,
    -- When a menu last took it or let go of it; before that, when it was asked for.
    add column last_used_at timestamptz;

-- There were no uploads: what waits for one would wait for ever.
update images set status = 'rejected', reason = 'not_uploaded' where status in ('pending', 'rejected');
update images set last_used_at = created_at;

alter table images
    alter column last_used_at set not null,
    drop constraint images_status_check,
    drop constraint images_ready_has_keys,
    -- What is being removed has keys until its objects are gone.
    add constraint images_status_check check (status in ('pending', 'ready', 'rejected', 'removing')),
    add constraint images_ready_has_keys check (
        (status in ('ready', 'removing')) = (image_key is not null and thumbnail_key is not null)
    ),
    add constraint images_rejected_has_reason check ((status = 'rejected') = (reason is not null)),
    add constraint images_pending_has_upload check (
        status <> 'pending' or num_nulls(admin_id, upload_key, size, sha256, expires_at) = 0
    ),
    add constraint images_upload_key_key unique (upload_key),
    add constraint images_admin_fkey foreign key (admin_id) references admins (id);

create index images_pending_idx on images (store_id, expires_at) where status = 'pending';
create index images_last_used_idx on images (last_used_at);

-- No menu uses what is being removed.
delete from images where status = 'removing';

alter table images
    drop constraint images_rejected_has_reason,
    drop constraint images_pending_has_upload,
    drop constraint images_ready_has_keys,
    drop constraint images_status_check,
    add constraint images_status_check check (status in ('pending', 'ready', 'rejected')),
    add constraint images_ready_has_keys check (
        (status = 'ready') = (image_key is not null and thumbnail_key is not null)
    ),
    drop column admin_id,
    drop column upload_key,
    drop column size,
    drop column sha256,
    drop column expires_at,
    drop column last_used_at;

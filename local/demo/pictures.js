// Giving a menu a picture: announced to the service, uploaded straight to the storage, then waited for.

import { byId, part, setText } from './dom.js';
import { pause } from './wait.js';

/** How often the service is asked what became of a picture, and for how long, in milliseconds. */
const EVERY = 400;
const PATIENCE = 20_000;

/** What may be uploaded. */
const TYPES = ['image/jpeg', 'image/png', 'image/webp'];

/** Why a picture was rejected, and what to do about it. */
const REASONS = {
  not_uploaded: '업로드가 끝나지 않았습니다. 다시 시도해 주세요.',
  size_mismatch: '업로드 중에 파일이 바뀌었습니다. 다시 시도해 주세요.',
  digest_mismatch: '업로드 중에 파일이 바뀌었습니다. 다시 시도해 주세요.',
  not_an_image: '이미지 파일이 아닙니다. JPEG, PNG, WebP 사진을 골라 주세요.',
  too_many_pixels: '사진이 너무 큽니다. 4천만 화소 이하의 사진을 골라 주세요.',
  damaged: '사진 파일이 손상되었습니다. 다른 사진을 골라 주세요.',
};

/** Make the dialog work, with the staff's `api`. */
export function startPictures(api) {
  const dialog = byId('pictures');
  const [menu, file, preview, send] = ['menu', 'file', 'preview', 'send'].map((name) => part(dialog, name));
  let busy = false;

  const show = (text, kind = '') => {
    const message = part(dialog, 'message');
    setText(message, text);
    message.dataset.kind = kind;
  };

  function render() {
    send.disabled = busy || !file.files[0] || !menu.value;
    menu.disabled = file.disabled = busy;
    send.classList.toggle('sending', busy);
  }

  byId('show-pictures').onclick = async () => {
    show('');
    dialog.showModal();
    try {
      const { items } = await api.call('GET', '/api/admin/menus?page_size=100');
      menu.replaceChildren(...items.map(({ id, name }) => new Option(name, id)));
    } catch (error) {
      show(error.message, 'bad');
    }
    render();
  };
  part(dialog, 'close').onclick = () => dialog.close();

  file.onchange = () => {
    if (preview.src) URL.revokeObjectURL(preview.src);
    const [chosen] = file.files;
    preview.hidden = !chosen;
    if (chosen) preview.src = URL.createObjectURL(chosen);
    show('');
    render();
  };

  send.onclick = async () => {
    const [chosen] = file.files;
    busy = true;
    render();
    try {
      show('사진을 올리는 중…');
      const id = await upload(api, chosen);
      show('사진을 다듬는 중…');
      const { status, reason } = await outcome(api, id);
      if (status === 'rejected') throw new Error(REASONS[reason] ?? '사용할 수 없는 사진입니다. 다른 사진을 골라 주세요.');
      // One that takes long is given all the same: the menu shows it as soon as it is ready.
      await api.call('PATCH', `/api/admin/menus/${menu.value}`, { body: JSON.stringify({ image_id: id }) });
      if (status === 'ready') show('메뉴에 사진을 넣었습니다. 손님 태블릿에 바로 보입니다.', 'good');
      else show('사진을 다듬고 있습니다. 끝나면 메뉴에 저절로 나타납니다.', 'wait');
    } catch (error) {
      show(error.message, 'bad');
    } finally {
      busy = false;
      render();
    }
  };
}

/** Announce a file and upload it. Resolves to the picture's id. */
async function upload(api, file) {
  if (!TYPES.includes(file.type)) throw new Error(REASONS.not_an_image);
  if (!crypto.subtle) throw new Error('이 주소에서는 사진을 올릴 수 없습니다. localhost 또는 https 주소로 열어 주세요.');
  const content = await file.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', content));
  const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const body = JSON.stringify({ content_type: file.type, size: file.size, sha256 });
  const announced = await api.call('POST', '/api/admin/images', { body });
  const { method, url, headers } = announced.upload;
  const answer = await fetch(url, { method, headers, body: content }).catch(() => null);
  if (!answer?.ok) throw new Error('사진을 올리지 못했습니다. 다시 시도해 주세요.');
  return announced.image_id;
}

/** Wait for what becomes of a picture. */
async function outcome(api, id) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const image = await api.call('GET', `/api/admin/images/${id}`);
    if (image.status !== 'pending' || Date.now() > deadline) return image;
    await pause(EVERY);
  }
}

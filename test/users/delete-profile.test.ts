import { EventBus } from '../../src/infra/events/event-bus.js';
import { UserDeleted } from '../../src/users/users.events.js';
import { useApp, type TestPerson } from '../support/app.js';
import { makeContacts, makePair } from '../support/people.js';
import { filesOf } from '../media/files.js';
import { makePicture } from '../media/pictures.js';

const app = useApp();
const remove = (person: TestPerson, password = person.password) =>
  person.http.delete('/api/auth/delete-profile', { password });

describe('DELETE /api/auth/delete-profile', () => {
  it('needs the password', async () => {
    const ann = await app.registerUser();
    const wrong = await remove(ann, 'wrong');
    expect([wrong.status, wrong.code]).toEqual([401, 'INVALID_CREDENTIALS']);
    expect((await ann.http.delete('/api/auth/delete-profile')).status).toBe(400);
    expect((await ann.http.get('/api/auth/profile')).status).toBe(200);
  });

  it('ends every session, closes the sockets, and clears the cookie', async () => {
    const ann = await app.registerUser();
    const { email, password } = ann;
    const { data: other } = await app.http().post('/api/auth/login', { email, password, deviceId: 'd' });
    const socket = await app.connect(other);
    const answer = await remove(ann);
    expect([answer.status, answer.data]).toEqual([200, null]);
    expect(answer.headers['set-cookie']?.[0]).toMatch(/^refresh_token=;/);
    expect(await socket.next('session-revoked')).toEqual({ reason: 'account-deleted' });
    for (const token of [ann.token, other.token]) {
      expect((await app.http(token).get('/api/auth/profile')).code).toBe('SESSION_REVOKED');
    }
    const refreshed = await app.http().post('/api/auth/refresh', { refreshToken: ann.refreshToken });
    expect(refreshed.code).toBe('REFRESH_INVALID');
    expect((await app.http().post('/api/auth/login', { email, password })).code).toBe('INVALID_CREDENTIALS');
  });

  it('keeps nothing of the person: rows, files, picture', async () => {
    const before = await filesOf(app);
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    await makeContacts(ann, ben);
    await ann.http.post('/api/contacts/block', { userId: ben.id });
    await app.http().post('/api/auth/login', { email: ann.email, password: ann.password, deviceId: 'd' });
    const { data } = await ann.http.multipart('PUT', '/api/auth/update-profile', {}, [
      { name: 'profilePic', fileName: 'a.png', content: await makePicture('png') },
    ]);
    expect((await filesOf(app)).uploads).toHaveLength(before.uploads.length + 2);

    expect((await remove(ann)).status).toBe(200);
    expect(await filesOf(app)).toEqual({ ...before, temporary: [] });
    expect((await app.http().get(data.profilePic)).code).toBe('MEDIA_NOT_FOUND');
    const left = await app.sql(
      `SELECT 'user' FROM app_user WHERE id = $1
       UNION ALL SELECT 'session' FROM session WHERE user_id = $1
       UNION ALL SELECT 'device' FROM device WHERE user_id = $1
       UNION ALL SELECT 'media' FROM media WHERE owner_id = $1
       UNION ALL SELECT 'contact' FROM contact WHERE $1 IN (user_lo, user_hi)
       UNION ALL SELECT 'block' FROM block WHERE $1 IN (blocker_id, blocked_id)`,
      [ann.id],
    );
    expect(left).toEqual([]);
    expect((await ben.http.get('/api/contacts')).data).toEqual([]);
  });

  it('frees the e-mail address', async () => {
    const { email, ...ann } = await app.registerUser();
    await remove({ ...ann, email });
    const again = await app.registerUser({ email });
    expect(again.id).not.toBe(ann.id);
  });

  it('leaves the messages to the others, without a sender, and its marks no longer count', async () => {
    const { ann, ben, chatId } = await makePair(app);
    await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'from Ann' });
    await ben.http.post(`/api/chats/${chatId}/messages`, { text: 'from Ben' });
    expect((await remove(ann)).status).toBe(200);
    const { data } = await ben.http.get(`/api/chats/${chatId}/messages`);
    expect(data).toEqual([
      expect.objectContaining({ seq: 2, text: 'from Ben', senderId: ben.id }),
      expect.objectContaining({ seq: 1, text: 'from Ann', senderId: null }),
    ]);
    const [mark] = await app.sql('SELECT left_at FROM member WHERE chat_id = $1 AND user_id = $2', [
      chatId,
      ann.id,
    ]);
    expect(mark?.left_at).not.toBeNull();
  });

  it('happens once, also when it is asked for twice at the same time, and is told once', async () => {
    const ann = await app.registerUser();
    const told: UserDeleted[] = [];
    app.running.nest.get(EventBus).on(UserDeleted, (event) => {
      if (event.userId === ann.id) told.push(event);
    });
    const answers = await Promise.all([remove(ann), remove(ann)]);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.find(({ status }) => status !== 200)?.code).toBe('SESSION_REVOKED');
    expect(told).toEqual([new UserDeleted(ann.id)]);
  });
});
